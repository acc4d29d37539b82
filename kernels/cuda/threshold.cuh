#ifndef WINNOW_KERNELS_CUDA_THRESHOLD_CUH_
#define WINNOW_KERNELS_CUDA_THRESHOLD_CUH_

#include <cstdint>

#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/simt.h"

// The order of candidates as integers, and finding the bin that holds the k-th best.
namespace winnow::kernels::cuda {

// Larger for larger scores. NaN counts as -inf, and both zeros are one.
WINNOW_DEVICE uint32_t OrderedBits(float score) {
  if (score != score) score = simt::AsFloat(0xff800000u);
  const uint32_t bits = score == 0 ? 0 : simt::AsBits(score);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

WINNOW_DEVICE CandidateKey MakeCandidateKey(uint32_t ordered, uint32_t position) {
  return static_cast<CandidateKey>(ordered) << 32 | ~position;
}

WINNOW_DEVICE Candidate CandidateOf(CandidateKey key) {
  const auto ordered = static_cast<uint32_t>(key >> 32);
  const uint32_t bits = (ordered & 0x80000000u) != 0 ? ordered & 0x7fffffffu : ~ordered;
  return {simt::AsFloat(bits), ~static_cast<uint32_t>(key)};
}

// Lane i holds the counts of buckets kPerLane * i and up. Finds the bucket with the need-th best
// from the top and how many of it are needed. By a whole warp; false if all are fewer than `need`.
template <int kPerLane>
WINNOW_DEVICE bool FindBucket(const uint32_t (&counts)[kPerLane], uint32_t need, int* bucket,
                              uint32_t* needed_of_it) {
  const int lane = simt::Lane();
  uint32_t own = 0;
  WINNOW_UNROLL
  for (int i = 0; i < kPerLane; ++i) own += counts[i];
  uint32_t suffix = own;  // of this lane and those above
  for (int offset = 1; offset < 32; offset *= 2) {
    const uint32_t other = simt::Shuffle(suffix, (lane + offset) & 31);
    if (lane + offset < 32) suffix += other;
  }
  uint32_t above = suffix - own;
  const bool is_here = above < need && suffix >= need;
  const uint32_t where = simt::Ballot(is_here);
  if (where == 0) return false;
  int found = 0;
  uint32_t of_it = 0;
  bool searching = true;
  WINNOW_UNROLL
  for (int i = kPerLane - 1; i >= 0; --i) {
    if (searching && above + counts[i] >= need) {
      found = lane * kPerLane + i;
      of_it = need - above;
      searching = false;
    }
    above += counts[i];
  }
  const int source = simt::PopCount(where - 1);
  *bucket = simt::Shuffle(found, source);
  *needed_of_it = simt::Shuffle(of_it, source);
  return true;
}

// The highest bin that k groups are known to reach, 0 if there is none yet. By a whole warp, while
// others may count: it sees some of the groups, and each that it sees is there.
WINNOW_DEVICE uint32_t FindFloor(const RowState* state, uint32_t k) {
  const int lane = simt::Lane();
  const uint32_t coarse[2] = {simt::LoadRelaxed(&state->coarse[2 * lane]),
                              simt::LoadRelaxed(&state->coarse[2 * lane + 1])};
  int upper, lower;
  uint32_t needed;
  if (!FindBucket(coarse, k, &upper, &needed)) return 0;
  const uint32_t* bins = state->groups + upper * (kBins / kCoarseBins);
  const uint32_t fine[2] = {simt::LoadRelaxed(&bins[2 * lane]),
                            simt::LoadRelaxed(&bins[2 * lane + 1])};
  if (!FindBucket(fine, needed, &lower, &needed)) return 0;
  return static_cast<uint32_t>(upper * (kBins / kCoarseBins) + lower);
}

// Where each lane that `takes` writes in a list of *count items; counts them. By a whole warp, with
// at least one that takes.
WINNOW_DEVICE uint32_t Reserve(uint32_t takers, uint32_t* count) {
  uint32_t base = 0;
  if (simt::Lane() == 0) base = simt::AtomicAdd(count, simt::PopCount(takers));
  return simt::Shuffle(base, 0) + simt::PopCount(takers & ((1u << simt::Lane()) - 1));
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_THRESHOLD_CUH_
