#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_LOGITS_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_LOGITS_CUH_

#include "kernels/cuda/pair_attend_place.cuh"
#include "kernels/cuda/pair_attend_rows.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// The logits of a group's block of rows: queries . rows^T, its own half of the dims first, as that
// half comes first.
template <RowFormat kFormat>
struct PairAttendLogits {
  using L = PairAttendLayout;
  using Logit = PairAttendPlace::Logit;
  static constexpr int kHalfSteps = L::kHalf / 16;
  static constexpr int kRopeSteps = L::kRope / 16;
  static constexpr int kScaleSteps = kLatentScaleGroup / 16;
  static constexpr int kScalesOfHalf = L::kScaleGroups / 2;

  int group;

  // In units that the query scales know.
  WINNOW_DEVICE void Score(int block, Logit& logits) const {
    if constexpr (kFormat == RowFormat::kBf16) {
      MultiplyValues(block, logits);
    } else {
      MultiplyCodes(block, logits);
    }
  }

  WINNOW_DEVICE static uint64_t Matrix(const std::byte* at) {
    return simt::SharedMatrix(at, L::kHalfBytes, L::kTileBytes);
  }
  WINNOW_DEVICE static uint64_t Queries(int dim) {
    return Matrix(simt::SharedMemory() + L::kQueries + dim / 16 * L::kStepBytes);
  }
  WINNOW_DEVICE static uint64_t Step(uint64_t matrix, int step) {
    return matrix + step * (L::kStepBytes / 16);
  }

  WINNOW_DEVICE static void MultiplyRope(int block, Logit& logits) {
    const uint64_t queries = Queries(L::kLatent), rows = Matrix(PairAttendRows::Rope(block));
    WINNOW_UNROLL
    for (int i = 0; i < kRopeSteps; ++i) {
      simt::MmaGroup(logits, Step(queries, i), Step(rows, i), true);
    }
  }

  WINNOW_DEVICE void MultiplyValues(int block, Logit& logits) const {
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int half = i == 0 ? group : 1 - group;
      const uint64_t queries = Queries(half * L::kHalf);
      PairAttendRows::Wait(block, half);
      const uint64_t rows = Matrix(PairAttendRows::Half(block, half));
      simt::GroupBegin();
      WINNOW_UNROLL
      for (int step = 0; step < kHalfSteps; ++step) {
        simt::MmaGroup(logits, Step(queries, step), Step(rows, step), i > 0 || step > 0);
      }
      if (i == 1) MultiplyRope(block, logits);
      simt::GroupCommit();
    }
    simt::GroupWait<0>();
    simt::GroupHold(logits);
  }

  // The sums of a scale's dims are waited for, and multiplied by the rows' scales.
  WINNOW_DEVICE void MultiplyCodes(int block, Logit& logits) const {
    WINNOW_UNROLL
    for (auto& tile : logits) tile[0] = tile[1] = tile[2] = tile[3] = 0;
    WINNOW_UNROLL
    for (int i = 0; i < L::kScaleGroups; ++i) {
      const int half = i < kScalesOfHalf ? group : 1 - group;
      const int scale = half * kScalesOfHalf + i % kScalesOfHalf;
      if (i % kScalesOfHalf == 0) PairAttendRows::Wait(block, half);
      const uint64_t queries = Queries(scale * kLatentScaleGroup);
      const uint64_t rows =
          Step(Matrix(PairAttendRows::Half(block, half)), i % kScalesOfHalf * kScaleSteps);
      Logit dots;
      simt::GroupBegin();
      WINNOW_UNROLL
      for (int step = 0; step < kScaleSteps; ++step) {
        simt::MmaGroupF16(dots, Step(queries, step), Step(rows, step), step > 0);
      }
      simt::GroupCommit();
      simt::GroupWait<0>();
      simt::GroupHold(dots);
      AddScaled(block, scale, dots, logits);
    }
    simt::GroupHold(logits);
    simt::GroupBegin();
    MultiplyRope(block, logits);
    simt::GroupCommit();
    simt::GroupWait<0>();
    simt::GroupHold(logits);
  }

  WINNOW_DEVICE static void AddScaled(int block, int scale, const Logit& dots, Logit& logits) {
    const auto* scales = reinterpret_cast<const float*>(PairAttendRows::Scales(block)) +
                         scale * L::kRows + PairAttendPlace::InTile();
    WINNOW_UNROLL
    for (int tile = 0; tile < PairAttendPlace::kRowTiles; ++tile) {
      const FloatPair of_rows = *reinterpret_cast<const FloatPair*>(scales + 8 * tile);
      WINNOW_UNROLL
      for (int i = 0; i < 4; ++i) {
        logits[tile][i] =
            simt::Fma(dots[tile][i], i % 2 == 0 ? of_rows.first : of_rows.second, logits[tile][i]);
      }
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_LOGITS_CUH_
