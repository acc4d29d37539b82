#ifndef WINNOW_KERNELS_CUDA_FP8_ATTEND_OUTPUTS_CUH_
#define WINNOW_KERNELS_CUDA_FP8_ATTEND_OUTPUTS_CUH_

#include "kernels/cuda/fp8_attend_place.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// A group's dims of the outputs: rows^T . probabilities.
struct Fp8AttendOutputs {
  using L = Fp8AttendLayout;
  using Fragment = Fp8AttendPlace::Fragment;
  static constexpr int kHeadTiles = Fp8AttendPlace::kHeadTiles;
  static constexpr int kDimTiles = L::kLatent / 2 / 64;
  static constexpr int kTilesPerScale = kLatentScaleGroup / 64;

  const Fp8AttendPlace& at;
  float sums[kDimTiles][kHeadTiles][4] = {};

  WINNOW_DEVICE explicit Fp8AttendOutputs(const Fp8AttendPlace& place) : at(place) {}

  // By kFactors, where Fp8AttendSoftmax says so.
  WINNOW_DEVICE void Shrink() {
    if (*reinterpret_cast<const uint32_t*>(simt::SharedMemory() + L::kRaised) == 0) return;
    WINNOW_UNROLL
    for (int tile = 0; tile < kHeadTiles; ++tile) {
      const FloatPair factor = Fp8AttendPlace::PairAt(L::kFactors, Fp8AttendPlace::HeadOf(tile));
      WINNOW_UNROLL
      for (int i = 0; i < 4 * kDimTiles; ++i) {
        float& value = sums[i / 4][tile][i % 4];
        value = simt::Mul(value, i % 2 == 0 ? factor.first : factor.second);
      }
    }
  }

  // The codes of 32 rows of a tile of dims to matrices A, whose rows of a lane are two dims that
  // lie side by side.
  //   ratios  of the lane's pairs of rows, 8 apart
  WINNOW_DEVICE static void DecodeRows(const uint32_t (&codes)[4], const uint32_t* ratios,
                                       Fragment* a) {
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      // The even dim's two codes first.
      uint32_t even, odd;
      simt::E4m3QuadToF16x2(simt::Permute(codes[i], 0, 0x3120u), &even, &odd);
      a[i / 2][i % 2 * 2] = simt::MultiplyF16x2(even, ratios[i]);
      a[i / 2][i % 2 * 2 + 1] = simt::MultiplyF16x2(odd, ratios[i]);
    }
  }

  // Adds this group's dims of the outputs of a block's rows. A batch is of all rows and a tile of
  // dims.
  WINNOW_DEVICE void Add(int block) {
    constexpr int kSteps = L::kRows / 16;
    const int lane = simt::Lane();
    const std::byte* line =
        at.source.Stage(block) + lane * L::kRowBytes + at.group * (L::kLatent / 2) + 16 * at.warp;
    const auto* ratios = reinterpret_cast<const uint32_t*>(Fp8AttendPlace::Ratios(block)) +
                         2 * at.group * (L::kRows / 2) + lane % 4;
    const uint64_t probabilities =
        simt::SharedMatrix(simt::SharedMemory() + L::kProbabilities, L::kHalfBytes, L::kTileBytes) +
        block % 2 * (L::kRows / 16 * L::kStepBytes / 16);
    WINNOW_UNROLL
    for (auto& tile : sums) simt::GroupHold(tile);
    Fragment a[2][kSteps];
    uint32_t codes[2][2][4], of_rows[8];
    const auto load = [&](int tile) {
      WINNOW_UNROLL
      for (int rows = 0; rows < 2; ++rows) {
        simt::LoadMatrix4Transposed(codes[tile % 2][rows],
                                    line + rows * 32 * L::kRowBytes + tile * 64);
      }
    };
    load(0);
    WINNOW_UNROLL
    for (int tile = 0; tile < kDimTiles; ++tile) {
      if (tile + 1 < kDimTiles) load(tile + 1);
      if (tile % kTilesPerScale == 0) {
        WINNOW_UNROLL
        for (int i = 0; i < 8; ++i) {
          of_rows[i] = ratios[tile / kTilesPerScale * (L::kRows / 2) + 4 * i];
        }
      }
      WINNOW_UNROLL
      for (int rows = 0; rows < 2; ++rows) {
        DecodeRows(codes[tile % 2][rows], &of_rows[4 * rows], &a[tile % 2][2 * rows]);
      }
      simt::GroupBegin();
      WINNOW_UNROLL
      for (int step = 0; step < kSteps; ++step) {
        simt::MmaGroupF16Transposed(sums[tile], a[tile % 2][step],
                                    probabilities + step * (L::kStepBytes / 16), true);
      }
      simt::GroupCommit();
      simt::GroupWait<1>();
    }
    simt::GroupWait<0>();
    WINNOW_UNROLL
    for (auto& tile : sums) simt::GroupHold(tile);
  }

  // Times kFactors, to `results` [heads, kLatent], of which so many are there.
  WINNOW_DEVICE void Write(float* results, int heads) const {
    float* to = results + at.group * (L::kLatent / 2) + 16 * at.warp + simt::Lane() / 4 * 2;
    WINNOW_UNROLL
    for (int i = 0; i < 2 * kHeadTiles; ++i) {
      const int head = Fp8AttendPlace::HeadOf(i / 2) + i % 2;
      if (head >= heads) continue;
      const float factor = Fp8AttendPlace::Floats(L::kFactors)[head];
      WINNOW_UNROLL
      for (int dims = 0; dims < kDimTiles; ++dims) {
        const float(&tile)[4] = sums[dims][i / 2];
        *reinterpret_cast<FloatPair*>(to + size_t{1} * head * L::kLatent + 64 * dims) = {
            simt::Mul(tile[i % 2], factor), simt::Mul(tile[i % 2 + 2], factor)};
      }
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTEND_OUTPUTS_CUH_
