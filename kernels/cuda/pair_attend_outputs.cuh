#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_OUTPUTS_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_OUTPUTS_CUH_

#include "kernels/cuda/pair_attend_place.cuh"
#include "kernels/cuda/pair_attend_rows.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// A group's dims of the outputs: probabilities . rows.
template <RowFormat kFormat>
struct PairAttendOutputs {
  using L = PairAttendLayout;
  using Place = PairAttendPlace;
  static constexpr bool kScaled = kFormat == RowFormat::kFp8FlashMla;
  static constexpr int kChunkDims = kLatentScaleGroup;
  static constexpr int kChunks = L::kHalf / kChunkDims;
  static constexpr int kTiles = kChunkDims / 8;
  static constexpr int kChunkBytes = kChunkDims / 16 * L::kStepBytes;

  const Place& at;
  float sums[kChunks][kTiles][4] = {};
  Place::Probabilities scaled[kChunks];  // as products take them, if kScaled

  WINNOW_DEVICE explicit PairAttendOutputs(const Place& place) : at(place) {}

  // By a factor of each of the thread's heads.
  WINNOW_DEVICE void Shrink(const float (&factors)[2]) {
    WINNOW_UNROLL
    for (int i = 0; i < 4 * kChunks * kTiles; ++i) {
      float& value = sums[i / 4 / kTiles][i / 4 % kTiles][i % 4];
      value = simt::Mul(value, factors[i % 4 / 2]);
    }
  }

  // Adds this group's dims of the outputs of a block of rows; p is not to change before Finish().
  WINNOW_DEVICE void Start(int block, const Place::Probabilities& p) {
    if constexpr (kScaled) TakeScales(block, p);
    WINNOW_UNROLL
    for (auto& chunk : sums) simt::GroupHold(chunk);
    const uint64_t rows =
        simt::SharedMatrix(PairAttendRows::Half(block, at.group), L::kTileBytes, L::kHalfBytes);
    simt::GroupBegin();
    WINNOW_UNROLL
    for (int i = 0; i < Place::kRowSteps * kChunks; ++i) {
      const int step = i / kChunks, chunk = i % kChunks;
      const uint64_t b = rows + (chunk * kChunkBytes + step * 2 * L::kTileBytes) / 16;
      if constexpr (kScaled) {
        simt::MmaGroupF16Transposed(sums[chunk], scaled[chunk][step], b, true);
      } else {
        simt::MmaGroupTransposed(sums[chunk], p[step], b, true);
      }
    }
    simt::GroupCommit();
  }

  WINNOW_DEVICE void Finish() {
    simt::GroupWait<0>();
    WINNOW_UNROLL
    for (auto& chunk : sums) simt::GroupHold(chunk);
  }

  // The probabilities times the ratio that a row's scale of each chunk is to its largest.
  WINNOW_DEVICE void TakeScales(int block, const Place::Probabilities& p) {
    const auto* ratios =
        reinterpret_cast<const uint32_t*>(PairAttendRows::Scales(block) + L::kRatiosAt) +
        (at.group * kChunks * L::kRows + Place::InTile()) / 2;
    WINNOW_UNROLL
    for (int i = 0; i < kChunks * Place::kRowSteps * 2; ++i) {
      const int chunk = i / (2 * Place::kRowSteps), step = i / 2 % Place::kRowSteps;
      const int first = i % 2 * 2;  // word of a fragment, of 8 rows of the step's 16
      const uint32_t of_rows = ratios[4 * i];
      scaled[chunk][step][first] = simt::MultiplyF16x2(p[step][first], of_rows);
      scaled[chunk][step][first + 1] = simt::MultiplyF16x2(p[step][first + 1], of_rows);
    }
  }

  // Times a factor of each of the thread's heads, to `results` [heads, kLatent], of which so many
  // are there.
  WINNOW_DEVICE void Write(const float (&factors)[2], float* results, int heads) const {
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      if (at.Head(i) >= heads) continue;
      float* to =
          results + size_t{1} * at.Head(i) * L::kLatent + at.group * L::kHalf + Place::InTile();
      WINNOW_UNROLL
      for (int tile = 0; tile < kChunks * kTiles; ++tile) {
        const float(&values)[4] = sums[tile / kTiles][tile % kTiles];
        *reinterpret_cast<FloatPair*>(to + 8 * tile) = {simt::Mul(values[2 * i], factors[i]),
                                                        simt::Mul(values[2 * i + 1], factors[i])};
      }
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_OUTPUTS_CUH_
