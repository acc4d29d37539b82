#ifndef WINNOW_KERNELS_CPU_VNNI_SIEVE_H_
#define WINNOW_KERNELS_CPU_VNNI_SIEVE_H_

#include "kernels/cpu/sieve.h"

namespace winnow::kernels {

// Bounds for fp8 and MXFP4 keys from dot products of int8 (AVX-512 with VNNI and VBMI: Ice Lake,
// Zen 4 and later), which take half the time of those of bf16, and for MXFP4 need no scales on the
// way. An e4m3 value below 2^(e + 1) is rounded to multiples of 2^(e - 6), at most 120 of them:
// those of 2^(e - 3) and more lose nothing, as they have three bits after the first. MXFP4 loses
// nothing in blocks whose scale is at least an eighth of the largest of their key.
const Sieve& VnniSieve();

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_VNNI_SIEVE_H_
