#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_

#include "kernels/cuda/pair_attend_bring.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Brings bf16 rows, which are copied to their tiles as they are. One half is on its way while the
// next is asked for, if there is room for that.
struct PairAttendValues : PairAttendBringer {
  static constexpr int kLineBytes = 16;  // 8 dims

  WINNOW_DEVICE explicit PairAttendValues(const PairAttendRows& rows)
      : PairAttendBringer(rows, 2 * (L::kLatent + L::kRope)) {}

  WINNOW_DEVICE void BringAll() {
    PairHalf copied = {-1};  // and not yet said to be there
    for (PairHalf half = {0}; Has(half); half = After(half)) {
      MoveTo(half);
      if (copied.number >= 0 && !IsEmpty(half)) {
        Finish<0>(copied);
        copied = {-1};
      }
      AwaitEmpty(half);
      Start(half);
      if (copied.number >= 0) Finish<1>(copied);
      copied = half;
    }
    if (copied.number >= 0) Finish<0>(copied);
  }

  WINNOW_DEVICE void Start(PairHalf half) const {
    if (aligned) {
      CopyHalf<true>(half);
    } else {
      CopyHalf<false>(half);
    }
    simt::CopyAsyncCommit();
  }
  template <int kHalvesLeft>
  WINNOW_DEVICE static void Finish(PairHalf half) {
    simt::CopyAsyncWait<kHalvesLeft>();
    SayFull(half);
  }

  template <bool kAligned>
  WINNOW_DEVICE void CopyHalf(PairHalf half) const {
    constexpr int kHalfBytes = 2 * L::kHalf;
    Copy<kAligned, kHalfBytes>(half, half.Half() * kHalfBytes,
                               PairAttendRows::Half(half.Block(), half.Half()));
    if (!half.HasRope()) return;
    Copy<kAligned, 2 * L::kRope>(half, 2 * L::kLatent, PairAttendRows::Rope(half.Block()));
  }

  // kBytes of each of the warp's rows from `at` on, to tiles.
  template <bool kAligned, int kBytes>
  WINNOW_DEVICE void Copy(PairHalf half, int at, std::byte* tiles) const {
    const int column = simt::Lane() / 8;
    std::byte* const line = LineIn(tiles) + column * L::kHalfBytes;
    const std::byte* const any = reinterpret_cast<const std::byte*>(source.rows[0]);
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
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_
