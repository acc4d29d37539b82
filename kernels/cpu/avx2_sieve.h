#ifndef WINNOW_KERNELS_CPU_AVX2_SIEVE_H_
#define WINNOW_KERNELS_CPU_AVX2_SIEVE_H_

#include "kernels/cpu/sieve.h"

namespace winnow::kernels {

// Bounds for fp8 keys from dot products of bytes (AVX2), which take a third of the time of those of
// fp32. AVX2 adds products of bytes in int16, so that they are of few bits: a page's values that
// are at least a quarter of the largest lose nothing, and a query head's from an eighth on.
const Sieve& Avx2Sieve();

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_AVX2_SIEVE_H_
