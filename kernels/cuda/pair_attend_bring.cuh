#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_BRING_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_BRING_CUH_

#include "kernels/cuda/group_attend_tiles.cuh"
#include "kernels/cuda/pair_attend_rows.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Brings rows for PairAttendRows, by the warps of a group of its own: each brings one half of one
// stage, and so waits for nobody but those who multiply that. Eight lanes write a tile, of 8 rows,
// and so meet no bank twice. Rows that are not there become zero.
struct PairAttendBringer {
  using L = PairAttendLayout;
  static constexpr int kPasses = L::kRows / 8;  // each of 8 rows
  static constexpr int kLanesOfRow = 4;

  const PairAttendRows& source;
  int stage;
  int half;
  bool with_rope;

  WINNOW_DEVICE explicit PairAttendBringer(const PairAttendRows& rows) : source(rows) {
    // The same in all lanes, as the compiler can see.
    const int warp = simt::Shuffle(simt::Warp() % L::kGroupWarps, 0);
    stage = warp % 2;
    with_rope = warp >= 2;
    half = with_rope ? 1 - stage : stage;
  }

  // The addresses of the lane's two rows of a block, 32 apart; zero where there is none.
  struct Addresses {
    uint64_t rows[2];

    // Of the row that the lane has in a pass.
    WINNOW_DEVICE uint64_t OfPass(int pass) const {
      return simt::Shuffle(pass < kPasses / 2 ? rows[0] : rows[1],
                           pass % (kPasses / 2) * 8 + simt::Lane() % 8);
    }
    WINNOW_DEVICE bool AllAligned() const {
      return simt::Ballot(rows[0] == 0 || rows[1] == 0 || (rows[0] | rows[1]) % 16 != 0) == 0;
    }
  };
  WINNOW_DEVICE Addresses Find(int block) const {
    Addresses found = {};
    WINNOW_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int row = block * L::kRows + 32 * i + simt::Lane();
      if (row < source.count) found.rows[i] = reinterpret_cast<uint64_t>(source.rows[row]);
    }
    return found;
  }

  // Has L2 ask for `bytes` of the rows from `at` on.
  WINNOW_DEVICE static void Prefetch(const Addresses& addresses, int at, int bytes) {
    constexpr int kLineBytes = 128;
    WINNOW_UNROLL
    for (const uint64_t row : addresses.rows) {
      if (row == 0) continue;
      for (int i = 0; i < bytes; i += kLineBytes) {
        simt::PrefetchToL2(reinterpret_cast<const std::byte*>(row) + at + i);
      }
      simt::PrefetchToL2(reinterpret_cast<const std::byte*>(row) + at + bytes - 1);
    }
  }

  WINNOW_DEVICE void AwaitEmpty(int block) const {
    if (block < 2) return;
    simt::CopyBarrierWait(PairAttendRows::Empty(block, half), PairAttendRows::Parity(block - 2));
  }
  // By the whole warp, each lane of which has waited for its copies.
  WINNOW_DEVICE void SayFull(int block) const {
    simt::PublishShared();
    simt::SyncWarp();
    if (simt::Lane() == 0) simt::CopyBarrierArrive(PairAttendRows::Full(block, half), 0);
  }
};

// 16 bytes from `at` on of a row that may lie anywhere, or nowhere.
WINNOW_DEVICE EightValues LoadLine(uint64_t row, int at) {
  if (row == 0) return {};
  const auto* words = reinterpret_cast<const uint32_t*>(row + at);
  return {{words[0], words[1], words[2], words[3]}};
}
// Of one at a multiple of 16.
WINNOW_DEVICE EightValues LoadAlignedLine(uint64_t row, int at) {
  EightValues line;
  simt::LoadGlobal16(line.words, reinterpret_cast<const std::byte*>(row) + at);
  return line;
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_BRING_CUH_
