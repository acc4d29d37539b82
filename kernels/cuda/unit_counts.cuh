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
    const uint32_t before = simt::AtomicExchangeShared(post, kPosted | row << kRowShift | bin);
    if (before != 0) CountUnits(&states[RowOf(before)], BinOf(before), 1);
  }

  // Counts what is posted, by a whole warp: one addition for each bin, and for each coarse one, in
  // which nearly all units of a row are.
  WINNOW_DEVICE void Collect() const {
    constexpr int kEach = kPostsOfBlock / 32;
    uint32_t taken[kEach];
    WINNOW_UNROLL
    for (int i = 0; i < kEach; ++i) {
      taken[i] = simt::AtomicExchangeShared(&posts[32 * i + simt::Lane()], 0);
    }
    WINNOW_UNROLL
    for (const uint32_t post : taken) {
      const uint32_t same_bin = simt::MatchAny(post);
      const uint32_t same_coarse = simt::MatchAny(post / (kBins / kCoarseBins));
      if (post == 0) continue;
      RowState* const state = &states[RowOf(post)];
      const uint32_t bin = BinOf(post);
      if (IsFirst(same_coarse)) {
        simt::AtomicAdd(&state->coarse[bin / (kBins / kCoarseBins)], simt::PopCount(same_coarse));
      }
      if (IsFirst(same_bin)) simt::AtomicAdd(&state->units[bin], simt::PopCount(same_bin));
    }
  }
  WINNOW_DEVICE static bool IsFirst(uint32_t lanes) {
    return (lanes & ((1u << simt::Lane()) - 1)) == 0;
  }
  WINNOW_DEVICE static uint32_t RowOf(uint32_t post) { return (post & ~kPosted) >> kRowShift; }
  WINNOW_DEVICE static uint32_t BinOf(uint32_t post) { return post & (kBins - 1); }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_UNIT_COUNTS_CUH_
