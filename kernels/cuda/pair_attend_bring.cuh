#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_BRING_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_BRING_CUH_

#include "kernels/cuda/group_attend_tiles.cuh"
#include "kernels/cuda/pair_attend_rows.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// A half of a block of rows, by when it is brought: of a pair of blocks, first what each group
// multiplies first.
struct PairHalf {
  int number;

  WINNOW_DEVICE int Block() const { return number / 4 * 2 + number % 2; }
  WINNOW_DEVICE bool HasRope() const { return number % 4 >= 2; }
  WINNOW_DEVICE int Half() const { return HasRope() ? 1 - number % 2 : number % 2; }
  WINNOW_DEVICE bool BeginsPair() const { return number % 4 == 0; }
};

// 16 bytes from `at` on of a row that may lie anywhere, or nowhere.
WINNOW_DEVICE EightValues LoadLine(uint64_t row, int at) {
  if (row == 0) return {};
  const auto* words = reinterpret_cast<const uint32_t*>(row + at);
  return {{words[0], words[1], words[2], words[3]}};
}
// Of one at a multiple of 16, or nowhere.
WINNOW_DEVICE EightValues LoadAlignedLine(uint64_t row, int at) {
  EightValues line;
  simt::LoadGlobal16OrZero(line.words, reinterpret_cast<const std::byte*>(row) + at, row != 0);
  return line;
}

// Brings rows for PairAttendRows, by the four warps of a group of its own, each of which has 16
// rows of every block. Eight lanes write a tile, of 8 rows, and so meet no bank twice. Rows that
// are not there become zero.
struct PairAttendBringer {
  using L = PairAttendLayout;
  static constexpr int kRowsOfWarp = L::kRows / L::kGroupWarps;
  static constexpr int kPasses = kRowsOfWarp / 8;
  static constexpr int kLanesOfRow = 4;

  const PairAttendRows& source;
  const int row_bytes;
  int first_row;  // of the warp's in a block
  // Of the pair of blocks, the addresses of the warp's rows of the even block in lanes 0..15, of
  // the odd one in the others; zero where there is none. And of the next pair.
  uint64_t addresses = 0;
  uint64_t next_addresses;
  bool aligned = false;  // to 16, all of the pair's that are there

  WINNOW_DEVICE PairAttendBringer(const PairAttendRows& rows, int bytes)
      : source(rows), row_bytes(bytes) {
    // The same in all lanes, as the compiler can see.
    first_row = simt::Shuffle(simt::Warp() % L::kGroupWarps, 0) * kRowsOfWarp;
    next_addresses = Find(0);
  }

  WINNOW_DEVICE bool Has(PairHalf half) const { return source.Has(half.Block()); }
  // The next half that there is, or any of those that are not.
  WINNOW_DEVICE PairHalf After(PairHalf half) const {
    const PairHalf next = {half.number + 1};
    return Has(next) ? next : PairHalf{next.number + 1};
  }

  // Before a half is brought: the addresses of its pair. L2 asks for the rows of the next.
  WINNOW_DEVICE void MoveTo(PairHalf half) {
    if (!half.BeginsPair()) return;
    addresses = next_addresses;
    aligned = simt::Ballot(addresses % 16 != 0) == 0;
    next_addresses = Find(half.Block() + 2);
    if (next_addresses == 0) return;
    constexpr int kLineBytes = 128;
    const auto* row = reinterpret_cast<const std::byte*>(next_addresses);
    for (int at = 0; at < row_bytes; at += kLineBytes) simt::PrefetchToL2(row + at);
    simt::PrefetchToL2(row + row_bytes - 1);
  }
  WINNOW_DEVICE uint64_t Find(int even_block) const {
    const int block = even_block + simt::Lane() / kRowsOfWarp;
    const int row = block * L::kRows + first_row + simt::Lane() % kRowsOfWarp;
    return row < source.count ? reinterpret_cast<uint64_t>(source.rows[row]) : 0;
  }
  // Of the row that the lane has in a pass.
  WINNOW_DEVICE uint64_t RowOf(PairHalf half, int pass) const {
    return simt::Shuffle(addresses, half.number % 2 * kRowsOfWarp + 8 * pass + simt::Lane() % 8);
  }
  // Where the lane's part of the warp's rows begins in tiles.
  WINNOW_DEVICE std::byte* LineIn(std::byte* tiles) const {
    return tiles + first_row / 8 * L::kTileBytes + simt::Lane() % 8 * 16;
  }

  // Begins to copy kBytes of each of the warp's rows from `at` on to tiles, 8 dims of bf16 a line.
  template <bool kAligned, int kBytes>
  WINNOW_DEVICE void Copy(PairHalf half, int at, std::byte* tiles) const {
    constexpr int kLineBytes = 16;
    const int column = simt::Lane() / 8;
    std::byte* const line = LineIn(tiles) + column * L::kHalfBytes;
    // Some address that is aligned too, for rows that are not there.
    const auto* const any =
        reinterpret_cast<const std::byte*>(reinterpret_cast<uint64_t>(source.rows[0]) & ~15ull);
    WINNOW_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) {
      const uint64_t row = RowOf(half, pass);
      const std::byte* from = row != 0 ? reinterpret_cast<const std::byte*>(row) : any;
      WINNOW_UNROLL
      for (int i = 0; i < kBytes / kLineBytes / kLanesOfRow; ++i) {
        const int offset = at + (column + i * kLanesOfRow) * kLineBytes;
        std::byte* to = line + pass * L::kTileBytes + i * kLanesOfRow * L::kHalfBytes;
        if constexpr (kAligned) {
          simt::CopyAsync16OrZero(to, from + offset, row != 0);
        } else {
          *reinterpret_cast<EightValues*>(to) = LoadLine(row, offset);
        }
      }
    }
  }

  WINNOW_DEVICE static bool IsEmpty(PairHalf half) {
    const int block = half.Block();
    if (block < 2) return true;
    const bool empty = simt::CopyBarrierWaitFor(PairAttendRows::Empty(block, half.Half()),
                                                PairAttendRows::Parity(block - 2), 0);
    return simt::Ballot(!empty) == 0;
  }
  WINNOW_DEVICE static void AwaitEmpty(PairHalf half) {
    const int block = half.Block();
    if (block < 2) return;
    simt::CopyBarrierWait(PairAttendRows::Empty(block, half.Half()),
                          PairAttendRows::Parity(block - 2));
  }
  // By the whole warp, each lane of which has waited for its copies.
  WINNOW_DEVICE static void SayFull(PairHalf half) {
    simt::PublishShared();
    simt::SyncWarp();
    if (simt::Lane() != 0) return;
    simt::CopyBarrierArrive(PairAttendRows::Full(half.Block(), half.Half()), 0);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_BRING_CUH_
