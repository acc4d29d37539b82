#ifndef WINNOW_KERNELS_CUDA_SCORE_KEYS_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_KEYS_CUH_

#include "kernels/cuda/key_fragments.cuh"
#include "kernels/cuda/score_pages.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Bytes of the codes of `tiles` tiles of 16 keys, and of their scales.
template <int kDim>
WINNOW_DEVICE int CodeBytesOf(KeyFormat format, int tiles) {
  return tiles * TileBytes(format, kDim);
}
template <int kDim>
WINNOW_DEVICE int ScaleBytesOf(KeyFormat format, int tiles) {
  switch (format) {
    case KeyFormat::kFp8E4M3:
    case KeyFormat::kInt8:
      return tiles * 16 * 4;
    case KeyFormat::kMxFp4:
      return tiles * 16 * (kDim / 32);
    case KeyFormat::kBf16:
      return 0;
  }
  return 0;
}
WINNOW_DEVICE bool HasFloatScales(KeyFormat format) {
  return format == KeyFormat::kFp8E4M3 || format == KeyFormat::kInt8;
}

// The units of its block's pages that one warp scores, and their way to its shared memory: every
// Warps()-th. Unit i of a warp is copied to stage i % stages, while it scores the units before.
// Where a unit's page is takes two loads that depend on each other, so a warp looks up 16 units at
// once, a lane each.
template <int kDim>
struct KeyStream {
  static constexpr int kTiles = TilesPerUnit(kDim);
  static constexpr int kUnitEntries = 16 * kTiles;
  static constexpr int kUnitsPerPage = kPageEntries / kUnitEntries;
  static constexpr int kLookedUp = kPlacesPerWarp / 2;

  const ScoreArgs& args;
  const BlockPages pages;
  PagePlace* places;  // [kPlacesPerWarp]
  std::byte* memory;  // [stages, UnitBytes]

  WINNOW_DEVICE KeyStream(const ScoreArgs& call, const BlockPages& of, std::byte* shared)
      : args(call), pages(of) {
    places = reinterpret_cast<PagePlace*>(shared) + simt::Warp() * kPlacesPerWarp;
    memory = Stages(shared) + simt::Warp() * args.stages * UnitBytes();
  }

  // All warps' stages.
  WINNOW_DEVICE static std::byte* Stages(std::byte* shared) {
    return shared + simt::Warps() * kPlacesPerWarp * sizeof(PagePlace);
  }

  WINNOW_DEVICE int CodeBytes() const { return CodeBytesOf<kDim>(args.format, kTiles); }
  WINNOW_DEVICE int ScaleBytes() const { return ScaleBytesOf<kDim>(args.format, kTiles); }
  WINNOW_DEVICE int UnitBytes() const { return CodeBytes() + ScaleBytes(); }

  // The number of unit i of the warp among its block's.
  WINNOW_DEVICE static uint32_t UnitOf(int i) { return simt::Warp() + i * simt::Warps(); }
  WINNOW_DEVICE bool Has(int i) const { return UnitOf(i) < pages.count * kUnitsPerPage; }
  WINNOW_DEVICE PagePlace& PlaceOf(uint32_t i) const { return places[i % kPlacesPerWarp]; }
  WINNOW_DEVICE const std::byte* Stage(int stage) const { return memory + stage * UnitBytes(); }

  // Looks up units i and following, kLookedUp of them; i is a multiple of that.
  WINNOW_DEVICE void LookUp(int i) {
    simt::SyncWarp();
    if (simt::Lane() < kLookedUp) {
      i += simt::Lane();
      PagePlace place = pages.Find(UnitOf(i) / kUnitsPerPage);
      const uint32_t before = UnitOf(i) % kUnitsPerPage * kUnitEntries;
      place.position += before;
      place.held -= place.held < before ? place.held : before;
      PlaceOf(i) = place;
    }
    simt::SyncWarp();
  }

  // Begins to copy unit i; a group of copies even where there is none.
  WINNOW_DEVICE void Fetch(int i, int stage) {
    if (i % kLookedUp == 0) LookUp(i);
    const std::byte* page = PlaceOf(i).page;
    const auto part = static_cast<int>(UnitOf(i) % kUnitsPerPage);
    if (page != nullptr) CopyUnit(page, part, memory + stage * UnitBytes());
    simt::CopyAsyncCommit();
  }

  WINNOW_DEVICE void CopyUnit(const std::byte* page, int part, std::byte* to) const {
    Copy(to, page + part * CodeBytes(), CodeBytes());
    to += CodeBytes();
    const std::byte* scales = page + kUnitsPerPage * CodeBytes();
    if (args.format == KeyFormat::kMxFp4) {
      for (int i = simt::Lane(); i < kDim / 32 * kTiles; i += 32) {
        const int block = i / kTiles, tile = i % kTiles;
        simt::CopyAsync16(to + 16 * i,
                          scales + kPageEntries * block + part * kUnitEntries + 16 * tile);
      }
    } else {
      Copy(to, scales + part * ScaleBytes(), ScaleBytes());
    }
  }

  WINNOW_DEVICE static void Copy(std::byte* to, const std::byte* from, int bytes) {
    const int lane = 16 * simt::Lane();
    for (int at = 0; at < bytes; at += 512) {
      if (at + 512 <= bytes || at + lane < bytes)
        simt::CopyAsync16(to + at + lane, from + at + lane);
    }
  }

  // Waits for the unit that was fetched `stages` fetches ago, by the whole warp.
  WINNOW_DEVICE void Wait() const {
    if (args.stages == kManyStages) {
      simt::CopyAsyncWait<kManyStages - 1>();
    } else {
      simt::CopyAsyncWait<kFewStages - 1>();
    }
    simt::SyncWarp();
  }

  // The entry of its unit whose score a lane ends up with; lanes beyond the unit have none.
  WINNOW_DEVICE static int EntryOfLane() {
    const int g = simt::Lane() / 4, c = simt::Lane() % 4;
    return c / 2 * 16 + 2 * g + c % 2;
  }

  // A stage's codes to fragments; returns the scale of the lane's entry.
  WINNOW_DEVICE float Decode(int stage, uint32_t (&a)[kTiles][kDim / 16][4]) const {
    const std::byte* codes = Stage(stage);
    const std::byte* scales = codes + CodeBytes();
    WINNOW_UNROLL
    for (int t = 0; t < kTiles; ++t) {
      const std::byte* tile = codes + t * (CodeBytes() / kTiles);
      WINNOW_UNROLL
      for (int step = 0; step < kDim / 16; ++step) {
        DecodeKeys(args.format, tile, scales + 16 * t, kUnitEntries, step, a[t][step]);
      }
    }
    if (!HasFloatScales(args.format)) return 1.0f;
    // Lanes without an entry read one that there is.
    return reinterpret_cast<const float*>(scales)[EntryOfLane() % kUnitEntries];
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_KEYS_CUH_
