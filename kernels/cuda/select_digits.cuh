#ifndef WINNOW_KERNELS_CUDA_SELECT_DIGITS_CUH_
#define WINNOW_KERNELS_CUDA_SELECT_DIGITS_CUH_

#include "kernels/cuda/select_source.cuh"

// A selection whatever the keys are: up to eight passes over them, a digit of eight bits each, and
// log2(k) (log2(k) + 1) / 2 steps of a sort (66 at k = 2048), 20 of which are a barrier of the
// block.
namespace winnow::kernels::cuda {

inline constexpr int kDigitBins = 256;  // the first of SelectMemory::buckets

// Counts the next digit of the keys that begin with the prefix. Warps whose keys agree in it, as
// most do in the first digits, count once.
WINNOW_DEVICE void CountDigits(const SelectSource& source, int shift, SelectMemory* memory) {
  const CandidateKey prefix = memory->prefix;
  source.ForEach([&](CandidateKey key) {
    // In two shifts, as one of 64 bits is none.
    const bool counts = key != kEndOfKept && (key >> shift >> 8) == prefix;
    const auto digit = static_cast<uint32_t>(key >> shift) & 0xff;
    const uint32_t common = simt::Shuffle(digit, 0);
    const uint32_t same = simt::Ballot(counts && digit == common);
    if (simt::Lane() == 0 && same != 0) {
      simt::AtomicAddShared(&memory->buckets[common], simt::PopCount(same));
    }
    if (counts && digit != common) simt::AtomicAddShared(&memory->buckets[digit], 1);
  });
}

// The smallest key that is among the best `wanted` of at least so many; by a whole block.
WINNOW_DEVICE CandidateKey FindLeastSelected(const SelectSource& source, uint32_t wanted,
                                             SelectMemory* memory) {
  if (simt::ThreadInBlock() == 0) {
    memory->needed = wanted;
    memory->prefix = 0;
  }
  for (int shift = 56; shift >= 0; shift -= 8) {
    simt::SyncBlock();
    for (int i = simt::ThreadInBlock(); i < kDigitBins; i += kSelectThreads) memory->buckets[i] = 0;
    simt::SyncBlock();
    CountDigits(source, shift, memory);
    simt::SyncBlock();
    if (simt::Warp() == 0) {
      uint32_t counts[kDigitBins / 32];
      WINNOW_UNROLL
      for (int i = 0; i < kDigitBins / 32; ++i) {
        counts[i] = memory->buckets[kDigitBins / 32 * simt::Lane() + i];
      }
      int digit = 0;
      uint32_t needed = 0;
      FindBucket(counts, memory->needed, &digit, &needed);
      if (simt::Lane() == 0) {
        memory->prefix = memory->prefix << 8 | static_cast<uint32_t>(digit);
        memory->needed = needed;
        memory->all = memory->buckets[digit] == needed ? 1 : 0;
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
      for (int i = simt::ThreadInBlock(); i < size / 2; i += kSelectThreads) {
        const int low = 2 * i - (i & (distance - 1));
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

// Selects the best `wanted`, at least 1 and no more than there are.
WINNOW_DEVICE void SelectByDigits(const SelectSource& source, const ScoreRow& row, uint32_t wanted,
                                  SelectMemory* memory, CandidateKey* sorted) {
  int size = 1;
  while (static_cast<uint32_t>(size) < wanted) size *= 2;
  const CandidateKey least = FindLeastSelected(source, wanted, memory);
  if (simt::ThreadInBlock() == 0) memory->taken = 0;
  for (int i = simt::ThreadInBlock(); i < size; i += kSelectThreads) sorted[i] = 0;
  simt::SyncBlock();
  source.ForEach([&](CandidateKey key) {
    if (key >= least && key != kEndOfKept) {
      sorted[simt::AtomicAddShared(&memory->taken, 1)] = key;
    }
  });
  simt::SyncBlock();
  SortDescending(sorted, size);
  for (uint32_t i = simt::ThreadInBlock(); i < wanted; i += kSelectThreads) {
    row.selected[i] = CandidateOf(sorted[i]);
  }
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SELECT_DIGITS_CUH_
