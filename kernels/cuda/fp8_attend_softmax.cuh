#ifndef WINNOW_KERNELS_CUDA_FP8_ATTEND_SOFTMAX_CUH_
#define WINNOW_KERNELS_CUDA_FP8_ATTEND_SOFTMAX_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/fp8_attend_place.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// The streaming softmax of a block's heads. Every warp keeps the same references; its sums are over
// its own rows.
struct Fp8AttendSoftmax {
  using L = Fp8AttendLayout;
  using At = Fp8AttendPlace;
  using Logit = At::Logit;
  static constexpr int kHeadTiles = At::kHeadTiles;
  // The largest scale so far is brought to 2^(kScaleTop - 1)..2^kScaleTop, so that probabilities
  // times scales stay below 2^15, which is half of what f16 holds. The more of that is left to
  // scales, the smaller may be that of a row that wins: 2^-25 of the largest is a normal number
  // yet. More for logits would make outputs shrink less often.
  static constexpr float kSlack = 3;
  static constexpr uint32_t kScaleTop = 12;

  uint32_t exponent = 20;  // of the largest scale so far, at least 20
  // Of the lane's two heads, 2 * lane and the next; references in units of log 2.
  FloatPair reference = {MinusInfinity(), MinusInfinity()};
  FloatPair sums = {};

  // Over the 8 lanes that have the same heads, each value of which belongs to another row; a lane
  // ends up with its two heads of them.
  template <typename Op>
  WINNOW_DEVICE static FloatPair ReduceRows(const float (&values)[kHeadTiles][2], Op op) {
    static_assert(kHeadTiles == 8);
    const auto keep = [&](int lanes, float low, float high) {
      const bool upper = (simt::Lane() & lanes) != 0;
      return op(upper ? high : low, simt::ShuffleXor(upper ? low : high, lanes));
    };
    float half[4][2], quarter[2][2];
    WINNOW_UNROLL
    for (int i = 0; i < 8; ++i) {
      half[i / 2][i % 2] = keep(16, values[i / 2][i % 2], values[i / 2 + 4][i % 2]);
    }
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      quarter[i / 2][i % 2] = keep(8, half[i / 2][i % 2], half[i / 2 + 2][i % 2]);
    }
    return {keep(4, quarter[0][0], quarter[1][0]), keep(4, quarter[0][1], quarter[1][1])};
  }

  // The largest logit of the warp's rows for each head, and the largest scale.
  WINNOW_DEVICE void ShareLargest(const Logit& logits, float scale) const {
    float most[kHeadTiles][2];
    WINNOW_UNROLL
    for (int i = 0; i < 2 * kHeadTiles; ++i) {
      most[i / 2][i % 2] = simt::Max(logits[i / 2][i % 2], logits[i / 2][i % 2 + 2]);
    }
    At::PairAt(L::kLargest, simt::Warp() * L::kHeads + 2 * simt::Lane()) =
        ReduceRows(most, [](float a, float b) { return simt::Max(a, b); });
    for (int lanes = 4; lanes < 32; lanes *= 2) {
      scale = simt::Max(scale, simt::ShuffleXor(scale, lanes));
    }
    if (simt::Lane() == 0) At::Floats(L::kLargestScale)[simt::Warp()] = scale;
  }

  // References that a logit exceeds by more than kSlack become that logit; the exponent follows the
  // largest scale. Every warp does it alike. Leaves what outputs shrink by, where any does.
  WINNOW_DEVICE void RaiseReferences() {
    FloatPair largest = At::PairAt(L::kLargest, 2 * simt::Lane());
    uint32_t most = exponent;
    WINNOW_UNROLL
    for (int w = 0; w < L::kWarps; ++w) {
      const FloatPair other = At::PairAt(L::kLargest, w * L::kHeads + 2 * simt::Lane());
      largest = {simt::Max(largest.first, other.first), simt::Max(largest.second, other.second)};
      const uint32_t of_scale = simt::AsBits(At::Floats(L::kLargestScale)[w]) >> 23;
      most = most > of_scale ? most : of_scale;
    }
    // By the difference, as a probability is: so none exceeds 2^kSlack, however it is rounded.
    const bool first = simt::Add(largest.first, -reference.first) > kSlack;
    const bool second = simt::Add(largest.second, -reference.second) > kSlack;
    const bool any = simt::Ballot(first || second || most > exponent) != 0;
    auto* raised = reinterpret_cast<uint32_t*>(simt::SharedMemory() + L::kRaised);
    if (simt::ThreadInBlock() == 0) *raised = any ? 1 : 0;
    if (!any) return;
    const FloatPair factors = {
        first ? simt::Exp2(simt::Add(reference.first, -largest.first)) : 1.0f,
        second ? simt::Exp2(simt::Add(reference.second, -largest.second)) : 1.0f};
    reference = {first ? largest.first : reference.first,
                 second ? largest.second : reference.second};
    sums = {simt::Mul(sums.first, factors.first), simt::Mul(sums.second, factors.second)};
    // What so small a scale gave is nothing beside the new one.
    const uint32_t risen = most - exponent;
    exponent = most;
    const float shrunk = risen < 127 ? simt::AsFloat((127 - risen) << 23) : 0.0f;
    if (simt::Warp() != 0) return;
    At::PairAt(L::kFactors, 2 * simt::Lane()) = {simt::Mul(factors.first, shrunk),
                                                 simt::Mul(factors.second, shrunk)};
  }

  // Logits to probabilities times scales, for all to see.
  WINNOW_DEVICE void PutProbabilities(const Logit& logits, const FloatPair& scales) {
    const float unit = simt::AsFloat((253 + kScaleTop - exponent) << 23);
    const float low = simt::Mul(scales.first, unit), high = simt::Mul(scales.second, unit);
    std::byte* to = simt::SharedMemory() + L::kProbabilities + 2 * simt::Warp() * L::kHalfBytes +
                    4 * simt::Lane();
    float of_rows[kHeadTiles][2];
    WINNOW_UNROLL
    for (int tile = 0; tile < kHeadTiles; ++tile) {
      const int owner = At::HeadOf(tile) / 2;
      const float of_head[2] = {simt::Shuffle(reference.first, owner),
                                simt::Shuffle(reference.second, owner)};
      float p[4];
      WINNOW_UNROLL
      for (int i = 0; i < 4; ++i) p[i] = simt::Exp2(simt::Add(logits[tile][i], -of_head[i % 2]));
      of_rows[tile][0] = simt::Add(p[0], p[2]);
      of_rows[tile][1] = simt::Add(p[1], p[3]);
      auto* words = reinterpret_cast<uint32_t*>(to + tile * L::kTileBytes);
      words[0] = simt::PackF16x2(simt::Mul(p[0], low), simt::Mul(p[1], low));
      words[L::kHalfBytes / 4] = simt::PackF16x2(simt::Mul(p[2], high), simt::Mul(p[3], high));
    }
    const FloatPair more = ReduceRows(of_rows, [](float a, float b) { return simt::Add(a, b); });
    sums = {simt::Add(sums.first, more.first), simt::Add(sums.second, more.second)};
  }

  // LSEs to `lse` [heads], of which so many are there, and to kFactors what each head's outputs are
  // to be multiplied by.
  WINNOW_DEVICE void Finish(bool any_rows, float* lse, int heads) const {
    const int lane = simt::Lane();
    At::Sync();
    At::PairAt(L::kLargest, simt::Warp() * L::kHeads + 2 * lane) = sums;
    if (simt::Warp() == 0) At::PairAt(L::kReferences, 2 * lane) = reference;
    At::Sync();
    const int head = simt::ThreadInBlock();
    if (head < L::kHeads && head < heads) {
      float sum = 0;
      for (int w = 0; w < L::kWarps; ++w) {
        sum = simt::Add(sum, At::Floats(L::kLargest)[w * L::kHeads + head]);
      }
      constexpr float kLogOf2 = 0.693147181f;
      const float of_head = At::Floats(L::kReferences)[head];
      lse[head] = any_rows ? simt::Fma(of_head, kLogOf2, simt::Log(sum)) : MinusInfinity();
      // The inverse of PutProbabilities' unit is 2^(exponent - 126 - kScaleTop).
      At::Floats(L::kFactors)[head] =
          any_rows ? simt::Divide(simt::AsFloat((exponent + 1 - kScaleTop) << 23), sum) : 0.0f;
    }
    At::Sync();
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTEND_SOFTMAX_CUH_
