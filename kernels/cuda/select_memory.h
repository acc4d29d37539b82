#ifndef WINNOW_KERNELS_CUDA_SELECT_MEMORY_H_
#define WINNOW_KERNELS_CUDA_SELECT_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/score_topk.h"

namespace winnow::kernels::cuda {

// A selection's shared memory, before the keys that it sorts. Scores are sorted into buckets first.
inline constexpr int kSelectThreads = 1024;
inline constexpr int kSelectBuckets = 4 * kSelectThreads;
inline constexpr uint32_t kMostOfBucket = 256;  // where keys are compared with each other
inline constexpr uint32_t kFewOfBucket = 16;    // that finer buckets are not worth their counting
struct SelectMemory {
  uint32_t buckets[kSelectBuckets];  // how many keys each has, then where they begin, then end
  uint32_t above_all;                // as of a bucket above all others: 0
  uint32_t taken;
  uint32_t needed;  // of the keys that begin with `prefix`
  uint32_t all;     // of these are needed
  CandidateKey prefix;
  uint32_t crossing;  // the bucket of the last that is wanted
  uint32_t wanted;    // keys of that bucket and those above
  uint32_t of_warps[3][32];
};
// [keys] that a selection of k has room for.
constexpr size_t SelectCapacity(uint32_t k) {
  size_t power = 1;
  while (power < k) power *= 2;
  return power + kMostOfBucket;
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SELECT_MEMORY_H_
