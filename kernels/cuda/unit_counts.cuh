#ifndef WINNOW_KERNELS_CUDA_UNIT_COUNTS_CUH_
#define WINNOW_KERNELS_CUDA_UNIT_COUNTS_CUH_

#include "kernels/cuda/score_block.h"
#include "kernels/cuda/simt.h"

// Counting units by the bins of their best, which score_topk.h explains.
namespace winnow::kernels::cuda {

WINNOW_DEVICE void CountUnits(RowState* state, uint32_t bin, uint32_t units) {
  simt::AtomicAdd(&state->coarse[bin / (kBins / kCoarseBins)], units);
  simt::AtomicAdd(&state->units[bin], units);
}

// Units on their way to the counts. The best of a row's units lie in a few bins, whose counters
// are neighbours, and a part of memory makes additions one after another: while no floor is known,
// and each unit is counted, those of all blocks would be more than it can make, and hold up the
// keys in that part. So warps post their units, and one warp of the block adds them up by bin.
struct UnitPosts {
  static constexpr uint32_t kPosted = 1u << 31;  // a post is never 0
  static constexpr int kRowShift = 16;

  RowState* states;  // of the job's rows
  uint32_t* posts;   // [kPostsOfBlock] in shared memory; 0 where there is none

  // By a warp, before a barrier.
  WINNOW_DEVICE void Clear() const {
    for (int i = simt::Lane(); i < kPostsOfBlock; i += 32) posts[i] = 0;
  }

  // By one lane of a warp, as its n-th.
  WINNOW_DEVICE void Post(uint32_t n, int row, uint32_t bin) const {
    uint32_t* const post = &posts[simt::Warp() * kPostsPerWarp + n % kPostsPerWarp];
    Count(simt::AtomicExchangeShared(post, kPosted | row << kRowShift | bin), 1);
  }

  // Counts what is posted, by a whole warp.
  WINNOW_DEVICE void Collect() const {
    WINNOW_UNROLL
    for (int i = 0; i < kPostsOfBlock; i += 32) {
      const uint32_t post = simt::AtomicExchangeShared(&posts[i + simt::Lane()], 0);
      for (uint32_t left = simt::Ballot(post != 0); left != 0;) {
        const int first = simt::PopCount((left - 1) & ~left);
        const uint32_t alike = simt::Ballot(post == simt::Shuffle(post, first));
        if (simt::Lane() == first) Count(post, simt::PopCount(alike));
        left &= ~alike;
      }
    }
  }

  WINNOW_DEVICE void Count(uint32_t post, uint32_t units) const {
    if (post == 0) return;
    const uint32_t row = (post & ~kPosted) >> kRowShift;
    CountUnits(&states[row], post & (kBins - 1), units);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_UNIT_COUNTS_CUH_
