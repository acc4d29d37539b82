#ifndef WINNOW_KERNELS_CUDA_ATTEND_HEADS_CUH_
#define WINNOW_KERNELS_CUDA_ATTEND_HEADS_CUH_

#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// The streaming softmax of a block's heads: the largest logit so far, the sum of probabilities
// relative to it, and what the outputs shrink by when it rises.
namespace winnow::kernels::cuda {

inline constexpr float kLog2OfE = 1.44269504f;

struct alignas(8) FloatPair {
  float first;
  float second;
};

WINNOW_DEVICE float MinusInfinity() { return simt::AsFloat(0xff800000u); }

WINNOW_DEVICE float Exp(float x) { return simt::Exp2(simt::Mul(x, kLog2OfE)); }

// Of all lanes of a warp.
WINNOW_DEVICE float LargestOfWarp(float x) {
  for (int i = 16; i > 0; i /= 2) x = simt::Max(x, simt::ShuffleXor(x, i));
  return x;
}
WINNOW_DEVICE float SumOfWarp(float x) {
  for (int i = 16; i > 0; i /= 2) x = simt::Add(x, simt::ShuffleXor(x, i));
  return x;
}

// Splits two values into the bf16 nearest each and the bf16 of the rest.
WINNOW_DEVICE void SplitPair(float first, float second, uint32_t* high, uint32_t* low) {
  *high = simt::PackBf16x2(first, second);
  *low = simt::PackBf16x2(simt::Add(first, -simt::AsFloat(*high << 16)),
                          simt::Add(second, -simt::AsFloat(*high & 0xffff0000u)));
}

struct AttendHeads {
  float* factors;
  float* largest;
  float* sums;

  WINNOW_DEVICE explicit AttendHeads(const AttendMemory& memory)
      : factors(reinterpret_cast<float*>(simt::SharedMemory() + memory.factors)),
        largest(reinterpret_cast<float*>(simt::SharedMemory() + memory.largest)),
        sums(reinterpret_cast<float*>(simt::SharedMemory() + memory.sums)) {}

  // Of `heads` heads, at most a block's threads.
  WINNOW_DEVICE void Begin(int heads) const {
    if (simt::ThreadInBlock() >= heads) return;
    largest[simt::ThreadInBlock()] = MinusInfinity();
    sums[simt::ThreadInBlock()] = 0;
  }

  // The largest of a head's logits so far and of this warp's.
  WINNOW_DEVICE float Largest(int head, float logit) const {
    return LargestOfWarp(simt::Max(largest[head], logit));
  }

  // Adds the warp's probabilities, which are relative to `most`.
  WINNOW_DEVICE void Add(int head, float most, float probability) const {
    const float sum = SumOfWarp(probability);
    if (simt::Lane() != 0) return;
    const float factor = Exp(simt::Add(largest[head], -most));
    factors[head] = factor;
    largest[head] = most;
    sums[head] = simt::Fma(sums[head], factor, sum);
  }

  // What a head's outputs are to be multiplied by at the end.
  WINNOW_DEVICE float Inverse(int head, bool any_rows) const {
    return any_rows ? simt::Divide(1.0f, sums[head]) : 0.0f;
  }

  // By the block: of its first `heads` heads.
  WINNOW_DEVICE void WriteLse(int heads, bool any_rows, float* lse) const {
    const int head = simt::ThreadInBlock();
    if (head >= heads) return;
    lse[head] = any_rows ? simt::Add(largest[head], simt::Log(sums[head])) : MinusInfinity();
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_ATTEND_HEADS_CUH_
