#ifndef WINNOW_KERNELS_CUDA_SELECT_CUH_
#define WINNOW_KERNELS_CUDA_SELECT_CUH_

#include "kernels/cuda/select_digits.cuh"
#include "kernels/cuda/select_source.cuh"

// Floor: one block a row; about 3,000 candidates of 8 bytes, so bound by the latency of three
// passes over them, the first from L2 and the others from L1, and of six barriers.
//
// A candidate's rank is the number of better ones. Scores are counted in buckets, equal intervals
// of their order-preserving form, finer ones around the best k where these need it; so all of
// the buckets above a candidate's are better, and it is compared with those of its own one by one.
// Where they are too many for that, as where scores tie, the best are found digit by digit.
namespace winnow::kernels::cuda {

struct Selection {
  const ScoreRow& row;
  SelectSource source;
  SelectMemory* memory;
  CandidateKey* sorted;  // [SelectCapacity(row.k)]
  uint32_t wanted;
  uint32_t low = 0;  // the order-preserving form at which bucket 0 begins
  uint32_t high = 0;
  int shift = 0;  // from it to buckets

  WINNOW_DEVICE Selection(const ScoreRow& of, const SelectSource& from, SelectMemory* shared)
      : row(of),
        source(from),
        memory(shared),
        sorted(reinterpret_cast<CandidateKey*>(shared + 1)),
        wanted(from.count < of.k ? from.count : of.k) {}

  WINNOW_DEVICE static uint32_t Ordered(CandidateKey key) {
    return static_cast<uint32_t>(key >> 32);
  }
  WINNOW_DEVICE uint32_t BucketOf(CandidateKey key) const { return (Ordered(key) - low) >> shift; }
  // The least shift that leaves no more buckets than there are.
  WINNOW_DEVICE static int ShiftFor(uint32_t range) {
    const int bits = 32 - simt::LeadingZeros(range), most = simt::PopCount(kSelectBuckets - 1);
    return bits > most ? bits - most : 0;
  }

  WINNOW_DEVICE void Run() {
    if (wanted == 0) return;
    if (source.IsList() && FindBuckets()) {
      Scatter();
      Rank();
    } else {
      SelectByDigits(source, row, wanted, memory, sorted);
    }
  }

  // False if a bucket has too many.
  WINNOW_DEVICE bool FindBuckets() {
    FindRange();
    shift = ShiftFor(high - low);
    for (;;) {
      Count();
      const uint32_t most = SumBuckets();
      const uint32_t next_low = low + (memory->crossing << shift);
      const int next_shift = ShiftFor(high - next_low);
      if (most <= kFewOfBucket || next_shift == shift) return most <= kMostOfBucket;
      low = next_low;
      shift = next_shift;
      ClearBuckets();
      simt::SyncBlock();
    }
  }

  // Of all scores. Clears the buckets.
  WINNOW_DEVICE void FindRange() {
    ClearBuckets();
    uint32_t most = 0, least_of_complements = 0;
    source.ForEach([&](CandidateKey key) {
      if (key == kEndOfKept) return;
      most = Ordered(key) > most ? Ordered(key) : most;
      least_of_complements =
          ~Ordered(key) > least_of_complements ? ~Ordered(key) : least_of_complements;
    });
    PutMost(most, memory->of_warps[0]);
    PutMost(least_of_complements, memory->of_warps[1]);
    simt::SyncBlock();
    high = MostOfWarps(memory->of_warps[0]);
    low = ~MostOfWarps(memory->of_warps[1]);
  }

  // The most of all threads' values, in two steps with a barrier between them.
  WINNOW_DEVICE static void PutMost(uint32_t value, uint32_t* of_warps) {
    const uint32_t most = simt::ReduceMax(value);
    if (simt::Lane() == 0) of_warps[simt::Warp()] = most;
  }
  WINNOW_DEVICE static uint32_t MostOfWarps(const uint32_t* of_warps) {
    return simt::ReduceMax(of_warps[simt::Lane()]);
  }

  WINNOW_DEVICE void ClearBuckets() const {
    for (int i = simt::ThreadInBlock(); i < kSelectBuckets; i += kSelectThreads) {
      memory->buckets[i] = 0;
    }
    if (simt::ThreadInBlock() == 0) memory->above_all = 0;
  }

  WINNOW_DEVICE void Count() const {
    source.ForEach([&](CandidateKey key) {
      if (key != kEndOfKept && Ordered(key) >= low) {
        simt::AtomicAddShared(&memory->buckets[BucketOf(key)], 1);
      }
    });
    simt::SyncBlock();
  }

  // Counts to the counts of all buckets above. Finds the bucket that the last one wanted is in, and
  // returns the largest count of it and those above.
  WINNOW_DEVICE uint32_t SumBuckets() {
    constexpr int kEach = kSelectBuckets / kSelectThreads;
    uint32_t* own = memory->buckets + kSelectBuckets - kEach * (simt::ThreadInBlock() + 1);
    uint32_t counts[kEach], sum = 0;
    WINNOW_UNROLL
    for (int i = 0; i < kEach; ++i) sum += counts[i] = own[i];
    uint32_t above = SumBefore(sum, memory->of_warps[0]);
    struct alignas(4 * kEach) {
      uint32_t of[kEach];
    } sums;
    uint32_t most = 0;
    WINNOW_UNROLL
    for (int i = kEach - 1; i >= 0; --i) {
      sums.of[i] = above;
      if (above < wanted) {
        most = counts[i] > most ? counts[i] : most;
        if (above + counts[i] >= wanted) {
          memory->crossing = static_cast<uint32_t>(own + i - memory->buckets);
          memory->wanted = above + counts[i];
        }
      }
      above += counts[i];
    }
    *reinterpret_cast<decltype(sums)*>(own) = sums;
    PutMost(most, memory->of_warps[2]);
    simt::SyncBlock();
    return MostOfWarps(memory->of_warps[2]);
  }

  // The sum of the values of all threads before this one.
  WINNOW_DEVICE static uint32_t SumBefore(uint32_t value, uint32_t* of_warps) {
    const uint32_t up_to = SumUpTo(value);
    if (simt::Lane() == 31) of_warps[simt::Warp()] = up_to;
    simt::SyncBlock();
    const uint32_t warps_up_to = SumUpTo(of_warps[simt::Lane()]);
    const uint32_t before = simt::Shuffle(warps_up_to, (simt::Warp() + 31) % 32);
    return up_to - value + (simt::Warp() == 0 ? 0 : before);
  }

  // The same in a warp, with its own.
  WINNOW_DEVICE static uint32_t SumUpTo(uint32_t value) {
    WINNOW_UNROLL
    for (int distance = 1; distance < 32; distance *= 2) {
      const uint32_t other = simt::Shuffle(value, (simt::Lane() - distance) & 31);
      if (simt::Lane() >= distance) value += other;
    }
    return value;
  }

  // Brings the keys of each bucket together. Its place moves to its end: where the next one begins.
  WINNOW_DEVICE void Scatter() {
    const uint32_t crossing = memory->crossing;
    source.ForEach([&](CandidateKey key) {
      if (key == kEndOfKept || Ordered(key) < low || BucketOf(key) < crossing) return;
      sorted[simt::AtomicAddShared(&memory->buckets[BucketOf(key)], 1)] = key;
    });
    simt::SyncBlock();
  }

  WINNOW_DEVICE void Rank() const {
    static_assert(offsetof(SelectMemory, above_all) == sizeof(SelectMemory::buckets));
    for (uint32_t i = simt::ThreadInBlock(); i < memory->wanted; i += kSelectThreads) {
      const CandidateKey key = sorted[i];
      const uint32_t bucket = BucketOf(key);
      const uint32_t begin =
          bucket + 1 == kSelectBuckets ? memory->above_all : memory->buckets[bucket + 1];
      const uint32_t end = memory->buckets[bucket];
      uint32_t rank = begin;
      for (uint32_t j = begin; j < end; ++j) rank += sorted[j] > key ? 1 : 0;
      if (rank < wanted) row.selected[rank] = CandidateOf(key);
    }
  }
};

// By a block of kSelectThreads for each row; shared memory is a SelectMemory and
// [SelectCapacity(k)] keys.
WINNOW_DEVICE void SelectBody(const SelectArgs& args) {
  // It was there before the last launch.
  const ScoreRow row = args.rows[simt::BlockX()];
  simt::AwaitLastLaunch();
  RowState* state = &args.states[simt::BlockX()];
  auto* memory = reinterpret_cast<SelectMemory*>(simt::SharedMemory());
  Selection selection(row, SourceOf(row, state, memory), memory);
  selection.Run();
  if (simt::ThreadInBlock() == 0) args.counts[simt::BlockX()] = selection.wanted;
  simt::SyncBlock();
  struct alignas(16) Words {
    uint32_t of[4];
  };
  static_assert(sizeof(RowState) % sizeof(Words) == 0);
  auto* words = reinterpret_cast<Words*>(state);
  for (size_t i = simt::ThreadInBlock(); i < sizeof(RowState) / sizeof(Words); i += kSelectThreads)
    words[i] = {};
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SELECT_CUH_
