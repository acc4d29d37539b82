#ifndef WINNOW_KERNELS_CUDA_SIMT_DEVICE_H_
#define WINNOW_KERNELS_CUDA_SIMT_DEVICE_H_

#include <cstddef>
#include <cstdint>

#define WINNOW_DEVICE __device__ __forceinline__
#define WINNOW_PRAGMA(text) _Pragma(#text)
#define WINNOW_UNROLL _Pragma("unroll")
#define WINNOW_UNROLL_BY(count) WINNOW_PRAGMA(unroll count)

// kernels/cuda/simt.h in instructions of sm_80 and later.
namespace winnow::kernels::simt {

inline constexpr uint32_t kWholeWarp = 0xffffffffu;

WINNOW_DEVICE int ThreadInBlock() { return static_cast<int>(threadIdx.x); }
WINNOW_DEVICE int ThreadsInBlock() { return static_cast<int>(blockDim.x); }
WINNOW_DEVICE int Lane() { return static_cast<int>(threadIdx.x & 31); }
WINNOW_DEVICE int Warp() { return static_cast<int>(threadIdx.x >> 5); }
WINNOW_DEVICE int Warps() { return static_cast<int>(blockDim.x >> 5); }
WINNOW_DEVICE int BlockX() { return static_cast<int>(blockIdx.x); }
WINNOW_DEVICE int BlockY() { return static_cast<int>(blockIdx.y); }
WINNOW_DEVICE int BlocksX() { return static_cast<int>(gridDim.x); }

// Instructions of sm_90; before, no launch begins until the last one has ended.
WINNOW_DEVICE void LetNextLaunch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
WINNOW_DEVICE void AwaitLastLaunch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

WINNOW_DEVICE std::byte* SharedMemory() {
  extern __shared__ __align__(128) unsigned char winnow_shared[];
  return reinterpret_cast<std::byte*>(winnow_shared);
}

WINNOW_DEVICE void SyncBlock() { __syncthreads(); }
WINNOW_DEVICE void SyncWarp() { __syncwarp(); }
template <typename T>
WINNOW_DEVICE T Shuffle(T value, int lane) {
  return __shfl_sync(kWholeWarp, value, lane);
}
template <typename T>
WINNOW_DEVICE T ShuffleXor(T value, int mask) {
  return __shfl_xor_sync(kWholeWarp, value, mask);
}
WINNOW_DEVICE uint32_t Ballot(bool vote) { return __ballot_sync(kWholeWarp, vote); }
WINNOW_DEVICE uint32_t MatchAny(uint32_t value) { return __match_any_sync(kWholeWarp, value); }
WINNOW_DEVICE uint32_t ReduceMax(uint32_t value) { return __reduce_max_sync(kWholeWarp, value); }

WINNOW_DEVICE float Fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
WINNOW_DEVICE float Mul(float a, float b) { return __fmul_rn(a, b); }
WINNOW_DEVICE float Add(float a, float b) { return __fadd_rn(a, b); }
WINNOW_DEVICE float Divide(float a, float b) { return __fdiv_rn(a, b); }
WINNOW_DEVICE float Max(float a, float b) { return fmaxf(a, b); }
// What would be subnormal is zero.
WINNOW_DEVICE float Exp2(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
WINNOW_DEVICE float Log(float x) { return logf(x); }
WINNOW_DEVICE uint32_t AsBits(float x) { return __float_as_uint(x); }
WINNOW_DEVICE float AsFloat(uint32_t x) { return __uint_as_float(x); }
WINNOW_DEVICE uint32_t Permute(uint32_t a, uint32_t b, uint32_t selector) {
  return __byte_perm(a, b, selector);
}
WINNOW_DEVICE int PopCount(uint32_t x) { return __popc(x); }
WINNOW_DEVICE int LeadingZeros(uint32_t x) { return __clz(static_cast<int>(x)); }
// Both halves times both halves; subnormals count.
WINNOW_DEVICE uint32_t MultiplyBf16x2(uint32_t a, uint32_t b) {
  uint32_t product;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(product) : "r"(a), "r"(b), "r"(0x80008000u));
  return product;
}
// Rounded to nearest even, `low` in the low half.
WINNOW_DEVICE uint32_t PackBf16x2(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

WINNOW_DEVICE uint32_t MultiplyF16x2(uint32_t a, uint32_t b) {
  uint32_t product;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
  return product;
}
WINNOW_DEVICE uint32_t PackF16x2(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

}  // namespace winnow::kernels::simt

#endif  // WINNOW_KERNELS_CUDA_SIMT_DEVICE_H_
