#ifndef WINNOW_KERNELS_CUDA_FP8_ATTEND_LOGITS_CUH_
#define WINNOW_KERNELS_CUDA_FP8_ATTEND_LOGITS_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/fp8_attend_place.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// The logits of a group's block of rows: rows . queries.
struct Fp8AttendLogits {
  using L = Fp8AttendLayout;
  using Fragment = Fp8AttendPlace::Fragment;
  using Logit = Fp8AttendPlace::Logit;
  static constexpr int kHeadTiles = Fp8AttendPlace::kHeadTiles;
  // A batch of products is of 2 steps along k; one is decoded while another multiplies.
  static constexpr int kChunkSteps = 2;
  static constexpr int kChunkBuffers = 2;
  static constexpr int kChunksPerScale = kLatentScaleGroup / 16 / kChunkSteps;

  const Fp8AttendPlace& at;

  // Logits of the warp's rows of a block in units of log 2, and the largest scale of each of the
  // lane's two; for all to see, the ratios of scales.
  WINNOW_DEVICE void Score(int block, Logit& logits, FloatPair* scales) const {
    *scales = {};
    if (at.source.Has(block)) {
      at.source.Wait(block);
      *scales = {at.ScalesOf(block, simt::Lane() / 4).Largest(),
                 at.ScalesOf(block, simt::Lane() / 4 + 8).Largest()};
      if (at.group == 0) {
        Multiply<false>(block, logits);
      } else {
        Multiply<true>(block, logits);
      }
      Scale(block, logits);
    } else {
      WINNOW_UNROLL
      for (auto& tile : logits) tile[0] = tile[1] = tile[2] = tile[3] = MinusInfinity();
    }
  }

  // The codes of 32 dims of a warp's 16 rows to matrices A.
  WINNOW_DEVICE static void DecodeDims(const uint32_t (&codes)[4], Fragment (&a)[kChunkSteps]) {
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      simt::E4m3QuadToF16x2(codes[i], &a[i / 2][i % 2], &a[i / 2][i % 2 + 2]);
    }
  }

  // Logits in units that the query scales know. The next batch is decoded while one multiplies. A
  // sum is waited for at the end of each scale's dims; one group has the rope dims first, so that
  // it waits while the other multiplies.
  template <bool kRopeFirst>
  WINNOW_DEVICE void Multiply(int block, Logit& logits) const {
    constexpr int kCodeChunks = L::kLatent / 16 / kChunkSteps;
    constexpr int kRopeChunks = L::kRope / 16 / kChunkSteps;
    constexpr int kChunks = kCodeChunks + kRopeChunks;
    const int lane = simt::Lane();
    const std::byte* line = at.Row(block, lane % 16) + lane / 16 * 16;
    const RowScales& low = at.ScalesOf(block, lane / 4);
    const RowScales& high = at.ScalesOf(block, lane / 4 + 8);
    const uint64_t queries =
        simt::SharedMatrix(simt::SharedMemory() + L::kQueries, L::kHalfBytes, L::kTileBytes);
    WINNOW_UNROLL
    for (auto& tile : logits) tile[0] = tile[1] = tile[2] = tile[3] = 0;
    Fragment a[kChunkBuffers][kChunkSteps];
    Logit dots;
    uint32_t codes[2][4];
    // The number of a chunk, by when it comes.
    const auto chunk_at = [](int i) { return kRopeFirst ? (i + kCodeChunks) % kChunks : i; };
    const auto load = [&](int chunk) {
      if (chunk < kCodeChunks) {
        simt::LoadMatrix4(codes[chunk % 2], line + chunk * kChunkSteps * 16);
      }
    };
    const auto decode = [&](int chunk, Fragment(&matrices)[kChunkSteps]) {
      if (chunk < kCodeChunks) {
        DecodeDims(codes[chunk % 2], matrices);
      } else {
        LoadRope(line + L::kRopeAt + (chunk - kCodeChunks) * kChunkSteps * 32, matrices);
      }
    };
    load(chunk_at(0));
    load(chunk_at(1));
    decode(chunk_at(0), a[0]);
    WINNOW_UNROLL
    for (int i = 0; i < kChunks; ++i) {
      const int chunk = chunk_at(i);
      if (chunk == kCodeChunks) simt::GroupHold(logits);
      simt::GroupBegin();
      WINNOW_UNROLL
      for (int step = 0; step < kChunkSteps; ++step) {
        const uint64_t b = queries + (chunk * kChunkSteps + step) * (L::kStepBytes / 16);
        if (chunk < kCodeChunks) {
          const bool add = chunk % kChunksPerScale > 0 || step > 0;
          simt::MmaGroupF16(dots, a[i % kChunkBuffers][step], b, add);
        } else {
          simt::MmaGroup(logits, a[i % kChunkBuffers][step], b, true);
        }
      }
      simt::GroupCommit();
      // Now the registers of the batch before are free.
      simt::GroupWait<kChunkBuffers - 1>();
      if (i + 2 < kChunks) load(chunk_at(i + 2));
      if (i + 1 < kChunks) decode(chunk_at(i + 1), a[(i + 1) % kChunkBuffers]);
      if (i == 0) ShareRatios(block);
      if (chunk == kChunks - 1) {
        simt::GroupWait<0>();
        simt::GroupHold(logits);
      } else if (chunk % kChunksPerScale == kChunksPerScale - 1) {
        simt::GroupWait<0>();
        const int scale = chunk / kChunksPerScale;
        AddScaled(low.groups[scale], high.groups[scale], dots, logits);
      }
    }
  }

  WINNOW_DEVICE static void AddScaled(float low, float high, Logit& dots, Logit& logits) {
    simt::GroupHold(dots);
    WINNOW_UNROLL
    for (int i = 0; i < 4 * kHeadTiles; ++i) {
      logits[i / 4][i % 4] =
          simt::Fma(dots[i / 4][i % 4], i % 4 < 2 ? low : high, logits[i / 4][i % 4]);
    }
  }

  WINNOW_DEVICE static void LoadRope(const std::byte* line, Fragment (&a)[kChunkSteps]) {
    WINNOW_UNROLL
    for (int i = 0; i < kChunkSteps; ++i) simt::LoadMatrix4(a[i], line + 32 * i);
  }

  // Scales of the warp's rows over each row's largest; a lane has two of a row's four.
  WINNOW_DEVICE void ShareRatios(int block) const {
    const int row = simt::Lane() % 16;
    const RowScales& scales = at.ScalesOf(block, row);
    const float largest = scales.Largest();
    auto* ratios = reinterpret_cast<uint16_t*>(Fp8AttendPlace::Ratios(block)) + 16 * at.warp + row;
    WINNOW_UNROLL
    for (int i = 0; i < L::kScaleGroups / 2; ++i) {
      const int of_scale = simt::Lane() / 16 * 2 + i;
      const float ratio = largest > 0 ? simt::Divide(scales.groups[of_scale], largest) : 0.0f;
      ratios[of_scale * L::kRows] = static_cast<uint16_t>(simt::PackF16x2(ratio, 0));
    }
  }

  // Logits to units of log 2; those of rows that are not there to minus infinity.
  WINNOW_DEVICE void Scale(int block, Logit& logits) const {
    WINNOW_UNROLL
    for (int tile = 0; tile < kHeadTiles; ++tile) {
      const FloatPair scale = Fp8AttendPlace::PairAt(L::kQueryScales, Fp8AttendPlace::HeadOf(tile));
      WINNOW_UNROLL
      for (int i = 0; i < 4; ++i) {
        logits[tile][i] = simt::Mul(logits[tile][i], i % 2 == 0 ? scale.first : scale.second);
      }
    }
    const int rows_left = at.source.count - block * L::kRows;
    if (rows_left >= L::kRows) return;
    const int row = 16 * at.warp + simt::Lane() / 4;
    WINNOW_UNROLL
    for (int i = 0; i < 4 * kHeadTiles; ++i) {
      if (row + i % 4 / 2 * 8 >= rows_left) logits[i / 4][i % 4] = MinusInfinity();
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTEND_LOGITS_CUH_
