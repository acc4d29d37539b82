#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_

#include "kernels/cuda/pair_attend_bring.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Brings bf16 rows, which are copied to their tiles as they are.
struct PairAttendValues : PairAttendBringer {
  using PairAttendBringer::PairAttendBringer;

  static constexpr int kLineBytes = 16;  // 8 dims
  static constexpr int kHalfBytes = 2 * L::kHalf;
  static constexpr int kRopeBytes = 2 * L::kRope;

  WINNOW_DEVICE void BringAll() const {
    Addresses next = Find(stage);
    for (int block = stage; source.Has(block); block += 2) {
      const Addresses addresses = next;
      next = Find(block + 2);
      Prefetch(next, half * kHalfBytes, kHalfBytes);
      if (with_rope) Prefetch(next, 2 * L::kLatent, kRopeBytes);
      AwaitEmpty(block);
      const bool aligned = addresses.AllAligned();
      Copy(addresses, aligned, half * kHalfBytes, kHalfBytes, PairAttendRows::Half(block, half));
      if (with_rope) {
        Copy(addresses, aligned, 2 * L::kLatent, kRopeBytes, PairAttendRows::Rope(block));
      }
      simt::CopyAsyncCommit();
      simt::CopyAsyncWait<0>();
      SayFull(block);
    }
  }

  // `bytes` of every row from `at` on, to tiles.
  WINNOW_DEVICE static void Copy(const Addresses& addresses, bool aligned, int at, int bytes,
                                 std::byte* tiles) {
    const int column = simt::Lane() / 8;
    std::byte* const line = tiles + column * L::kHalfBytes + simt::Lane() % 8 * kLineBytes;
    for (int pass = 0; pass < kPasses; ++pass) {
      const uint64_t row = addresses.OfPass(pass);
      const auto* from = reinterpret_cast<const std::byte*>(row) + at + column * kLineBytes;
      std::byte* to = line + pass * L::kTileBytes;
      for (int i = 0; i < bytes; i += kLanesOfRow * kLineBytes) {
        if (aligned) {
          simt::CopyAsync16(to, from + i);
        } else {
          *reinterpret_cast<EightValues*>(to) = LoadLine(row, at + column * kLineBytes + i);
        }
        to += kLanesOfRow * L::kHalfBytes;
      }
    }
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_
