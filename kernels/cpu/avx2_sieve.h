#ifndef WINNOW_KERNELS_CPU_AVX2_SIEVE_H_
#define WINNOW_KERNELS_CPU_AVX2_SIEVE_H_

#include "kernels/cpu/sieve.h"

namespace winnow::kernels {

// Bounds for fp8, int8 and MXFP4 keys from dot products of bytes (AVX2), at twice the rate of those
// of int16. AVX2 adds products of bytes in int16, so that levels have few bits. Keys lose nothing
// of e4m3 values that are at least an eighth of a page's largest, nor of MXFP4 blocks with a scale
// of at least a quarter of their largest; of int8 they lose the lowest bit.
const Sieve& Avx2Sieve();

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_AVX2_SIEVE_H_
