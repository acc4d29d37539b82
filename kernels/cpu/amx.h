#ifndef WINNOW_KERNELS_CPU_AMX_H_
#define WINNOW_KERNELS_CPU_AMX_H_

#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

// AMX tiles of bf16 and int8, with AVX-512 around them: Sapphire Rapids and later, where the
// operating system permits tiles. What tiles do not suit is done as avx512_bf16 does it.
const CpuVariant& AmxVariant();

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_AMX_H_
