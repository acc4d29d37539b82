#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_

#include "kernels/cuda/pair_attend_bring.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Brings bf16 rows, which are copied to their tiles as they are. One half is on its way while the
// next is asked for, if there is room for that.
struct PairAttendValues : PairAttendBringer {
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
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_VALUES_CUH_
