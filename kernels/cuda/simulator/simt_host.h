#ifndef WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_HOST_H_
#define WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_HOST_H_

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/cuda/simulator/simulator.h"

#define WINNOW_DEVICE inline
#define WINNOW_UNROLL
#define WINNOW_UNROLL_BY(count)

// kernels/cuda/simt.h on the simulator.
namespace winnow::kernels::simt {

using simulator::Location;

WINNOW_DEVICE int ThreadInBlock() { return simulator::Here().thread; }
WINNOW_DEVICE int ThreadsInBlock() { return simulator::Here().shape->threads; }
WINNOW_DEVICE int Lane() { return ThreadInBlock() % 32; }
WINNOW_DEVICE int Warp() { return ThreadInBlock() / 32; }
WINNOW_DEVICE int Warps() { return ThreadsInBlock() / 32; }
WINNOW_DEVICE int BlockX() { return simulator::Here().block_x; }
WINNOW_DEVICE int BlockY() { return simulator::Here().block_y; }
WINNOW_DEVICE int BlocksX() { return simulator::Here().shape->blocks_x; }
WINNOW_DEVICE std::byte* SharedMemory() { return simulator::Here().shared; }

// Here no launch begins until the last one has ended.
WINNOW_DEVICE void LetNextLaunch() {}
WINNOW_DEVICE void AwaitLastLaunch() {}

WINNOW_DEVICE void SyncBlock(const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  simulator::MeetBlock(where);
}
void SyncWarp(const Location& where = {__builtin_FILE(), __builtin_LINE()});
uint32_t Ballot(bool vote, const Location& where = {__builtin_FILE(), __builtin_LINE()});
uint32_t MatchAny(uint32_t value, const Location& where = {__builtin_FILE(), __builtin_LINE()});
uint32_t ReduceMax(uint32_t value, const Location& where = {__builtin_FILE(), __builtin_LINE()});
// The bits of `value`, at most 8 bytes of them, of the lane `source`.
uint64_t ShuffleBits(uint64_t bits, int source, const Location& where);

template <typename T>
WINNOW_DEVICE T Shuffle(T value, int lane,
                        const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  if constexpr (sizeof(T) == 8) {
    return std::bit_cast<T>(ShuffleBits(std::bit_cast<uint64_t>(value), lane, where));
  } else {
    const uint64_t bits = ShuffleBits(std::bit_cast<uint32_t>(value), lane, where);
    return std::bit_cast<T>(static_cast<uint32_t>(bits));
  }
}
template <typename T>
WINNOW_DEVICE T ShuffleXor(T value, int mask,
                           const Location& where = {__builtin_FILE(), __builtin_LINE()}) {
  return Shuffle(value, Lane() ^ mask, where);
}

// One half of a word of two bf16.
float Half(uint32_t word, int half);
// The same of a word of two f16.
float HalfF16(uint32_t word, int half);
// Adds 16 products a[k] * b[k * b_stride]. They are exact; each half of them is added at once and
// truncated, the worst that is known of tensor cores.
float AddProducts(float sum, const float* a, const float* b, int b_stride);

void MmaBf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
             const Location& where = {__builtin_FILE(), __builtin_LINE()});
void LoadMatrix4(uint32_t (&r)[4], const void* row,
                 const Location& where = {__builtin_FILE(), __builtin_LINE()});
void LoadMatrix2(uint32_t (&r)[2], const void* row,
                 const Location& where = {__builtin_FILE(), __builtin_LINE()});
void LoadMatrix4Transposed(uint32_t (&r)[4], const void* row,
                           const Location& where = {__builtin_FILE(), __builtin_LINE()});
void LoadMatrix2Transposed(uint32_t (&r)[2], const void* row,
                           const Location& where = {__builtin_FILE(), __builtin_LINE()});

WINNOW_DEVICE float Fma(float a, float b, float c) { return std::fma(a, b, c); }
WINNOW_DEVICE float Mul(float a, float b) { return a * b; }
WINNOW_DEVICE float Add(float a, float b) { return a + b; }
WINNOW_DEVICE float Divide(float a, float b) { return a / b; }
WINNOW_DEVICE float Max(float a, float b) { return std::fmax(a, b); }
WINNOW_DEVICE float Exp2(float x) { return std::exp2(x); }
WINNOW_DEVICE float Log(float x) { return std::log(x); }
WINNOW_DEVICE uint32_t AsBits(float x) { return std::bit_cast<uint32_t>(x); }
WINNOW_DEVICE float AsFloat(uint32_t x) { return std::bit_cast<float>(x); }
WINNOW_DEVICE int PopCount(uint32_t x) { return std::popcount(x); }
WINNOW_DEVICE int LeadingZeros(uint32_t x) { return std::countl_zero(x); }
uint32_t Permute(uint32_t a, uint32_t b, uint32_t selector);
uint32_t MultiplyBf16x2(uint32_t a, uint32_t b);
uint32_t PackBf16x2(float low, float high);
uint32_t MultiplyF16x2(uint32_t a, uint32_t b);
uint32_t PackF16x2(float low, float high);

}  // namespace winnow::kernels::simt

#endif  // WINNOW_KERNELS_CUDA_SIMULATOR_SIMT_HOST_H_
