#ifndef WINNOW_KERNELS_CPU_AVX512_H_
#define WINNOW_KERNELS_CPU_AVX512_H_

#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

const CpuVariant& Avx512Variant();

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_AVX512_H_
