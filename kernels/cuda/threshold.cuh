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

// The least score of a bin; a NaN where it has such.
WINNOW_DEVICE float LeastScore(uint32_t bin) {
  const uint32_t ordered = bin << kBinShift;
  return simt::AsFloat((ordered & 0x80000000u) != 0 ? ordered & 0x7fffffffu : ~ordered);
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

// A search for the highest bin that k units are known to reach, by a whole warp, while others may
// count: it sees some of the units, and each that it sees is there. In steps, of which each takes
// what the one before has loaded.
struct FloorSearch {
  uint32_t counts[2];
  int upper = 0;
  uint32_t needed = 0;

  WINNOW_DEVICE void Begin(const RowState* state) { Load(state->coarse); }
  // False if too few are known yet.
  WINNOW_DEVICE bool Continue(const RowState* state, uint32_t k) {
    if (!FindBucket(counts, k, &upper, &needed)) return false;
    Load(state->units + upper * (kBins / kCoarseBins));
    return true;
  }
  // The bin, 0 if too few are known yet.
  WINNOW_DEVICE uint32_t End() const {
    int lower = 0;
    uint32_t unused = 0;
    if (!FindBucket(counts, needed, &lower, &unused)) return 0;
    return static_cast<uint32_t>(upper * (kBins / kCoarseBins) + lower);
  }

  WINNOW_DEVICE void Load(const uint32_t* bins) {
    counts[0] = simt::LoadRelaxed(&bins[2 * simt::Lane()]);
    counts[1] = simt::LoadRelaxed(&bins[2 * simt::Lane() + 1]);
  }
};

WINNOW_DEVICE uint32_t FindFloor(const RowState* state, uint32_t k) {
  FloorSearch search;
  search.Begin(state);
  return search.Continue(state, k) ? search.End() : 0;
}

// The `takers` below the calling lane.
WINNOW_DEVICE uint32_t TakersBelow(uint32_t takers) {
  return simt::PopCount(takers & ((1u << simt::Lane()) - 1));
}

// Where each lane that takes writes in a list of *count items; counts them. By a whole warp, with
// at least one that takes; for a count in the device's or in shared memory.
WINNOW_DEVICE uint32_t Reserve(uint32_t takers, uint32_t* count) {
  uint32_t base = 0;
  if (simt::Lane() == 0) base = simt::AtomicAdd(count, simt::PopCount(takers));
  return simt::Shuffle(base, 0) + TakersBelow(takers);
}
WINNOW_DEVICE uint32_t ReserveShared(uint32_t takers, uint32_t* count) {
  uint32_t base = 0;
  if (simt::Lane() == 0) base = simt::AtomicAddShared(count, simt::PopCount(takers));
  return simt::Shuffle(base, 0) + TakersBelow(takers);
}

// A block's part of ScoreRow::kept, in pages; one that is not full ends with kEndOfKept, which is
// no candidate's key.
struct KeptPart {
  uint32_t first;
  uint32_t count;
};
inline constexpr CandidateKey kEndOfKept = 0;
WINNOW_DEVICE KeptPart PartOfBlock(uint32_t pages, uint32_t blocks, uint32_t block) {
  const uint32_t each = pages / blocks, more = pages % blocks;
  return {block * each + (block < more ? block : more), each + (block < more ? 1 : 0)};
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_THRESHOLD_CUH_
