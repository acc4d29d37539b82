#ifndef WINNOW_KERNELS_CUDA_SELECT_CUH_
#define WINNOW_KERNELS_CUDA_SELECT_CUH_

#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/threshold.cuh"

// Floor of the filter: one read of what was kept, 8 bytes each, from L2 (about 75,000 of 1,048,576
// entries at k = 2048: 0.6 MB, below a microsecond); bound by the launch.
// Floor of the selection: one block a row; a pass over the filtered per digit and log2(k)
// (log2(k) + 1) / 2 steps of the sort (66 at k = 2048), 20 of which are a barrier of the block;
// bound by the latency of shared memory, of barriers and of L2.
namespace winnow::kernels::cuda {

WINNOW_DEVICE void FilterBody(const FilterArgs& args) {
  const ScoreRow row = args.rows[simt::BlockY()];
  RowState* state = &args.states[simt::BlockY()];
  const uint32_t floor = FindFloor(state, row.k);
  const uint32_t count = state->kept;
  const uint32_t stride = simt::BlocksX() * simt::ThreadsInBlock();
  // Whole warps, past the end too.
  for (uint32_t first = simt::BlockX() * simt::ThreadsInBlock() + 32 * simt::Warp(); first < count;
       first += stride) {
    const uint32_t i = first + simt::Lane();
    const CandidateKey key = i < count ? row.kept[i] : 0;
    const bool keep = i < count && static_cast<uint32_t>(key >> (32 + kBinShift)) >= floor;
    const uint32_t takers = simt::Ballot(keep);
    if (takers == 0) continue;
    const uint32_t at = Reserve(takers, &state->filtered);
    if (keep && at < kFilteredCapacity) row.filtered[at] = key;
  }
}

// Shared memory of a selection.
struct SelectMemory {
  static constexpr int kDigitBins = 256;
  uint32_t bins[kDigitBins];
  uint32_t taken;
  uint32_t needed;  // of the keys that begin with `prefix`
  uint32_t all;     // of these are needed
  uint32_t unused;
  CandidateKey prefix;
  CandidateKey unused_key;
};

static_assert(sizeof(SelectMemory) == kSelectMemoryBytes);

// What one row selects from.
struct SelectSource {
  const CandidateKey* keys;
  uint32_t count;
};

WINNOW_DEVICE SelectSource SourceOf(const ScoreRow& row, const RowState& state) {
  if (state.filtered <= kFilteredCapacity) return {row.filtered, state.filtered};
  return {row.kept, state.kept};
}

// Counts the next digit of the keys that begin with the prefix. Warps whose keys agree in it, as
// most do in the first digits, count once.
WINNOW_DEVICE void CountDigits(const SelectSource& source, int shift, SelectMemory* memory) {
  const CandidateKey prefix = memory->prefix;
  for (uint32_t first = 32 * simt::Warp(); first < source.count; first += simt::ThreadsInBlock()) {
    const uint32_t i = first + simt::Lane();
    const CandidateKey key = i < source.count ? source.keys[i] : 0;
    // In two shifts, as one of 64 bits is none.
    const bool counts = i < source.count && (key >> shift >> 8) == prefix;
    const auto digit = static_cast<uint32_t>(key >> shift) & 0xff;
    const uint32_t common = simt::Shuffle(digit, 0);
    const uint32_t same = simt::Ballot(counts && digit == common);
    if (simt::Lane() == 0 && same != 0) {
      simt::AtomicAddShared(&memory->bins[common], simt::PopCount(same));
    }
    if (counts && digit != common) simt::AtomicAddShared(&memory->bins[digit], 1);
  }
}

// The smallest key that is among the best `wanted` of more than so many; by a whole block.
WINNOW_DEVICE CandidateKey FindLeastSelected(const SelectSource& source, uint32_t wanted,
                                             SelectMemory* memory) {
  if (simt::ThreadInBlock() == 0) {
    memory->needed = wanted;
    memory->prefix = 0;
  }
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (int i = simt::ThreadInBlock(); i < SelectMemory::kDigitBins; i += simt::ThreadsInBlock()) {
      memory->bins[i] = 0;
    }
    simt::SyncBlock();
    CountDigits(source, shift, memory);
    simt::SyncBlock();
    if (simt::Warp() == 0) {
      uint32_t counts[8];
      for (int i = 0; i < 8; ++i) counts[i] = memory->bins[8 * simt::Lane() + i];
      int digit = 0;
      uint32_t needed = 0;
      FindBucket(counts, memory->needed, &digit, &needed);
      if (simt::Lane() == 0) {
        memory->prefix = memory->prefix << 8 | static_cast<uint32_t>(digit);
        memory->needed = needed;
        memory->all = memory->bins[digit] == needed ? 1 : 0;
      }
    }
    simt::SyncBlock();
    if (memory->all != 0) return memory->prefix << shift;
  }
  return memory->prefix;
}

// Largest first. `size` is a power of two; by a whole block, with barriers before and after. A warp
// always takes the same runs of 64 keys, so steps within them wait for nobody else.
WINNOW_DEVICE void SortDescending(CandidateKey* keys, int size) {
  for (int run = 2; run <= size; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int i = simt::ThreadInBlock(); i < size / 2; i += simt::ThreadsInBlock()) {
        const int low = i / distance * 2 * distance + i % distance;
        const int high = low + distance;
        const CandidateKey a = keys[low], b = keys[high];
        const bool descending = (low & run) == 0;
        if ((a < b) == descending) {
          keys[low] = b;
          keys[high] = a;
        }
      }
      constexpr int kFarthestOfWarp = 32;
      const int next_distance = distance > 1 ? distance / 2 : run;
      if (distance <= kFarthestOfWarp && next_distance <= kFarthestOfWarp) {
        simt::SyncWarp();
      } else {
        simt::SyncBlock();
      }
    }
  }
  simt::SyncBlock();
}

// A block per row; shared memory is a SelectMemory and [NextPowerOfTwo(k)] keys.
WINNOW_DEVICE void SelectBody(const SelectArgs& args) {
  const ScoreRow row = args.rows[simt::BlockX()];
  auto* memory = reinterpret_cast<SelectMemory*>(simt::SharedMemory());
  auto* sorted = reinterpret_cast<CandidateKey*>(memory + 1);
  const SelectSource source = SourceOf(row, args.states[simt::BlockX()]);
  const uint32_t wanted = source.count < row.k ? source.count : row.k;
  int size = 1;
  while (static_cast<uint32_t>(size) < wanted) size *= 2;
  CandidateKey least = 0;
  if (wanted < source.count) least = FindLeastSelected(source, wanted, memory);
  if (simt::ThreadInBlock() == 0) memory->taken = 0;
  for (int i = simt::ThreadInBlock(); i < size; i += simt::ThreadsInBlock()) sorted[i] = 0;
  simt::SyncBlock();
  for (uint32_t i = simt::ThreadInBlock(); i < source.count; i += simt::ThreadsInBlock()) {
    const CandidateKey key = source.keys[i];
    if (key >= least) sorted[simt::AtomicAddShared(&memory->taken, 1)] = key;
  }
  simt::SyncBlock();
  SortDescending(sorted, size);
  for (uint32_t i = simt::ThreadInBlock(); i < wanted; i += simt::ThreadsInBlock()) {
    row.selected[i] = CandidateOf(sorted[i]);
  }
  if (simt::ThreadInBlock() == 0) args.counts[simt::BlockX()] = wanted;
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SELECT_CUH_
