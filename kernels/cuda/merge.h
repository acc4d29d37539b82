#ifndef WINNOW_KERNELS_CUDA_MERGE_H_
#define WINNOW_KERNELS_CUDA_MERGE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/candidate.h"
#include "kernels/cuda/launch_shape.h"

namespace winnow::kernels::cuda {

// The best k over lists that are each best first, as kernels::MergeCandidates.
struct MergeArgs {
  int lists;             // >= 1
  uint32_t list_stride;  // candidates from the start of a list to the next
  uint32_t k;
  const Candidate* items;   // [lists, list_stride]
  const uint32_t* lengths;  // [lists], each at most list_stride
  Candidate* merged;        // [min(k, sum of lengths)] best first
  uint32_t* count;          // how many were merged
};

LaunchShape PlanMerge(int lists, uint32_t list_stride);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_MERGE_H_
