#ifndef WINNOW_KERNELS_CUDA_FP8_ATTEND_QUERIES_CUH_
#define WINNOW_KERNELS_CUDA_FP8_ATTEND_QUERIES_CUH_

#include "kernels/cuda/group_attend_tiles.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// A block's queries in shared memory, as fp8_attention.cuh and pair_attention.cuh multiply them
// with FlashMLA's rows. A head's values are multiplied by the power of two that brings its largest
// to 2^14..2^15, so that its latent values are exact in f16 down to 2^-38 of the largest.
namespace winnow::kernels::cuda {

// The exponent field of bf16 that a head's largest value has, not so small that what follows from
// it were no normal number.
WINNOW_DEVICE uint32_t ClampedExponent(uint32_t magnitude) {
  constexpr uint32_t kLeast = 20;
  const uint32_t exponent = magnitude >> 7;
  return exponent < kLeast ? kLeast : exponent;
}
// 2^(14 - exponent of the largest), and 2^-that.
WINNOW_DEVICE float QueryFactor(uint32_t exponent) {
  return simt::AsFloat((268u - exponent) << 23);
}
WINNOW_DEVICE float InverseQueryFactor(uint32_t exponent) {
  return simt::AsFloat((exponent - 14u) << 23);
}

struct alignas(8) WordPair {
  uint32_t first;
  uint32_t second;
};

template <typename L>  // Fp8AttendLayout, PairAttendLayout
struct Fp8AttendQueries {
  static constexpr int kTiles = (L::kLatent + L::kRope) / 8;  // of 8 dims
  static constexpr int kLatentTiles = L::kLatent / 8;
  static constexpr int kLanesOfHead = 4;
  static constexpr int kTilesPerLane = kTiles / kLanesOfHead;

  // By the multiplying groups: `heads` heads of `from` [heads, kLatent + kRope] bf16; up to
  // L::kHeads those that are not there become zero. `unit` times its factor's inverse becomes each
  // head's scale. A warp takes 8 heads, 4 lanes a head.
  WINNOW_DEVICE static void Load(const std::byte* from, int heads, float unit) {
    const int head = simt::Warp() * 8 + simt::Lane() % 8;
    EightValues values[kTilesPerLane] = {};
    uint32_t largest = 0;
    if (head < heads) {
      const auto* tiles = reinterpret_cast<const EightValues*>(from) + head * kTiles;
      WINNOW_UNROLL
      for (int i = 0; i < kTilesPerLane; ++i) values[i] = tiles[TileOf(i)];
    }
    WINNOW_UNROLL
    for (int i = 0; i < kTilesPerLane; ++i) {
      for (const uint32_t word : values[i].words) {
        const uint32_t low = word & 0x7fffu, high = word >> 16 & 0x7fffu;
        const uint32_t most = low > high ? low : high;
        largest = largest > most ? largest : most;
      }
    }
    for (int lanes = 8; lanes < 32; lanes *= 2) {
      const uint32_t other = simt::ShuffleXor(largest, lanes);
      largest = largest > other ? largest : other;
    }
    const uint32_t exponent = ClampedExponent(largest);
    WINNOW_UNROLL
    for (int i = 0; i < kTilesPerLane; ++i) Put(head, TileOf(i), values[i], QueryFactor(exponent));
    if (simt::Lane() < 8) {
      auto* scales = reinterpret_cast<float*>(simt::SharedMemory() + L::kQueryScales);
      scales[head] = simt::Mul(unit, InverseQueryFactor(exponent));
    }
  }

  WINNOW_DEVICE static int TileOf(int i) { return simt::Lane() / 8 + kLanesOfHead * i; }

  // With kDealsDims, latent dims are dealt as LoadMatrix deals codes: of four, the first two to the
  // first half of k.
  WINNOW_DEVICE static void Put(int head, int tile, const EightValues& values, float factor) {
    std::byte* line =
        simt::SharedMemory() + tile / 2 * L::kStepBytes + head / 8 * L::kTileBytes + head % 8 * 16;
    EightValues scaled;
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float low = simt::Mul(simt::AsFloat(values.words[i] << 16), factor);
      const float high = simt::Mul(simt::AsFloat(values.words[i] & 0xffff0000u), factor);
      scaled.words[i] =
          tile < kLatentTiles ? simt::PackF16x2(low, high) : simt::PackBf16x2(low, high);
    }
    if (L::kDealsDims && tile < kLatentTiles) {
      auto* to = reinterpret_cast<WordPair*>(line + L::kQueries + tile % 2 * 8);
      *to = {scaled.words[0], scaled.words[2]};
      to[L::kHalfBytes / 8] = {scaled.words[1], scaled.words[3]};
    } else {
      // Their steps follow those of the latent dims.
      *reinterpret_cast<EightValues*>(line + tile % 2 * L::kHalfBytes) = scaled;
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTEND_QUERIES_CUH_
