#ifndef WINNOW_KERNELS_CUDA_GROUP_ATTEND_TILES_CUH_
#define WINNOW_KERNELS_CUDA_GROUP_ATTEND_TILES_CUH_

#include "kernels/cuda/key_fragments.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// Queries and rows as the tiles that products of groups read: 8 heads or rows of 8 dims, 16 bytes
// each. Tiles of the same dims lie one after another. Eight lanes write a tile, and so meet no bank
// twice.
namespace winnow::kernels::cuda {

inline constexpr int kTileBytes = 8 * 16;

struct alignas(16) EightValues {
  uint32_t words[4];
};

// Calls fn(line, tile) for this lane's part of `kLineTiles` tiles of 8 lines by `tiles` of 8 dims.
template <int kLineTiles, typename Fn>
WINNOW_DEVICE void ForEachLineOfTiles(int tiles, Fn fn) {
  constexpr int kTilesOfWarp = 4;
  const int units = kLineTiles * ((tiles + kTilesOfWarp - 1) / kTilesOfWarp);
  for (int unit = simt::Warp(); unit < units; unit += kAttendWarps) {
    const int tile = unit / kLineTiles * kTilesOfWarp + simt::Lane() / 8;
    if (tile < tiles) fn(unit % kLineTiles * 8 + simt::Lane() % 8, tile);
  }
}

template <int kLineTiles>
WINNOW_DEVICE void PutLine(int offset, int line, int tile, const EightValues& values) {
  std::byte* to = simt::SharedMemory() + offset + tile * kLineTiles * kTileBytes + line * 16;
  *reinterpret_cast<EightValues*>(to) = values;
}

// kGroupHeads heads of a query row from `first_head` on, to AttendMemory::queries; those beyond the
// heads there are become zero. All is asked for at once, and here when it returns.
WINNOW_DEVICE void LoadGroupQueries(const AttendArgs& args, int query, int first_head) {
  constexpr int kHeadTiles = kGroupHeads / 8;
  const int tiles = (args.latent_dim + args.rope_dim) / 8;
  const auto* from = reinterpret_cast<const EightValues*>(args.query) +
                     (size_t{1} * query * args.heads + first_head) * tiles;
  std::byte* const to = simt::SharedMemory() + args.memory.queries;
  ForEachLineOfTiles<kHeadTiles>(tiles, [&](int head, int tile) {
    const bool there = first_head + head < args.heads;
    simt::CopyAsync16OrZero(to + tile * kHeadTiles * kTileBytes + head * 16,
                            there ? from + head * tiles + tile : from, there);
  });
  simt::CopyAsyncCommit();
  simt::CopyAsyncWait<0>();
}

WINNOW_DEVICE EightValues DecodeEight(const uint32_t* codes) {
  return {{E4m3PairToBf16(simt::Permute(codes[0], 0, 0x1404u)),
           E4m3PairToBf16(simt::Permute(codes[0], 0, 0x3424u)),
           E4m3PairToBf16(simt::Permute(codes[1], 0, 0x1404u)),
           E4m3PairToBf16(simt::Permute(codes[1], 0, 0x3424u))}};
}

// Raw rows to values and scales. Of the kRowBlock rows `count` are there; the others become zero,
// with scale zero.
template <int kRowBlock>
WINNOW_DEVICE void DecodeGroupRows(const AttendArgs& args, int count) {
  const AttendMemory& memory = args.memory;
  const bool fp8 = args.format == RowFormat::kFp8FlashMla;
  const int latent_tiles = args.latent_dim / 8;
  const int rope_at = args.latent_dim + 4 * memory.groups - 16 * latent_tiles;  // of fp8 rows
  const std::byte* raw = simt::SharedMemory() + memory.raw;
  ForEachLineOfTiles<kRowBlock / 8>(latent_tiles + args.rope_dim / 8, [&](int row, int tile) {
    const std::byte* from = raw + row * memory.raw_stride;
    EightValues values = {};
    if (row < count && !fp8) {
      values = *reinterpret_cast<const EightValues*>(from + 16 * tile);
    } else if (row < count && tile < latent_tiles) {
      values = DecodeEight(reinterpret_cast<const uint32_t*>(from + 8 * tile));
    } else if (row < count) {
      const auto* words = reinterpret_cast<const uint32_t*>(from + rope_at + 16 * tile);
      values = {{words[0], words[1], words[2], words[3]}};
    }
    PutLine<kRowBlock / 8>(memory.values, row, tile, values);
  });
  auto* scales = reinterpret_cast<float*>(simt::SharedMemory() + memory.scales);
  for (int i = simt::ThreadInBlock(); i < kRowBlock * memory.groups; i += simt::ThreadsInBlock()) {
    const int row = i % kRowBlock;
    const auto* stored =
        reinterpret_cast<const float*>(raw + row * memory.raw_stride + args.latent_dim);
    scales[i] = row >= count ? 0.0f : fp8 ? stored[i / kRowBlock] : 1.0f;
  }
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_GROUP_ATTEND_TILES_CUH_
