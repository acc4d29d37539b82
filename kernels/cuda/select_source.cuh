#ifndef WINNOW_KERNELS_CUDA_SELECT_SOURCE_CUH_
#define WINNOW_KERNELS_CUDA_SELECT_SOURCE_CUH_

#include "kernels/cuda/select_memory.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/threshold.cuh"

namespace winnow::kernels::cuda {

// What one row selects from: its list or, where that had no room for all, what every block kept.
struct SelectSource {
  const CandidateKey* keys;
  uint32_t count;   // of a list; more than are ever wanted, otherwise
  uint32_t blocks;  // that kept; 0 for a list
  uint32_t pages;

  WINNOW_DEVICE bool IsList() const { return blocks == 0; }

  // Calls fn(key) for each, and for some that are kEndOfKept, by whole warps of a block.
  template <typename Fn>
  WINNOW_DEVICE void ForEach(Fn fn) const {
    if (IsList()) {
      Range(keys, count, simt::Warp(), simt::Warps(), fn);
      return;
    }
    for (uint32_t block = simt::Warp(); block < blocks; block += simt::Warps()) {
      const KeptPart part = PartOfBlock(pages, blocks, block);
      Range(keys + size_t{kPageEntries} * part.first, kPageEntries * part.count, 0, 1, fn);
    }
  }

  // Every `of`th 32 of them from the first-th on; up to kEndOfKept.
  template <typename Fn>
  WINNOW_DEVICE static void Range(const CandidateKey* from, uint32_t count, uint32_t first,
                                  uint32_t of, Fn fn) {
    constexpr uint32_t kAtOnce = 4;  // loads that wait together
    for (uint32_t begin = 32 * first; begin < count; begin += 32 * kAtOnce * of) {
      CandidateKey some[kAtOnce];
      WINNOW_UNROLL
      for (uint32_t u = 0; u < kAtOnce; ++u) {
        const uint32_t i = begin + 32 * u * of + simt::Lane();
        some[u] = i < count ? from[i] : kEndOfKept;
      }
      WINNOW_UNROLL
      for (uint32_t u = 0; u < kAtOnce; ++u) {
        const uint32_t ends = simt::Ballot(some[u] == kEndOfKept);
        fn(TakersBelow(ends) == 0 ? some[u] : kEndOfKept);
        if (ends != 0) return;
      }
    }
  }
};

// The list made again from what every block kept, by the floor as it is now that all is counted;
// its count, which may be more than there is room for. By a whole block.
WINNOW_DEVICE uint32_t ListAgain(const SelectSource& kept, const ScoreRow& row,
                                 const RowState* state, SelectMemory* memory) {
  const uint32_t floor = FindFloor(state, row.k);
  if (simt::ThreadInBlock() == 0) memory->taken = 0;
  simt::SyncBlock();
  kept.ForEach([&](CandidateKey key) {
    const bool keep = key != kEndOfKept && static_cast<uint32_t>(key >> (32 + kBinShift)) >= floor;
    const uint32_t takers = simt::Ballot(keep);
    if (takers == 0) return;
    const uint32_t at = ReserveShared(takers, &memory->taken);
    if (keep && at < kListCapacity) row.list[at] = key;
  });
  simt::SyncBlock();
  return memory->taken;
}

// By a whole block.
WINNOW_DEVICE SelectSource SourceOf(const ScoreRow& row, const RowState* state,
                                    SelectMemory* memory) {
  const uint32_t listed = state->listed;
  if (listed <= kListCapacity) return {row.list, listed, 0, 0};
  const SelectSource kept = {row.kept, listed, state->blocks, state->pages};
  const uint32_t again = ListAgain(kept, row, state, memory);
  if (again <= kListCapacity) return {row.list, again, 0, 0};
  return kept;
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SELECT_SOURCE_CUH_
