#ifndef WINNOW_TESTS_GPU_SCORE_CASE_H_
#define WINNOW_TESTS_GPU_SCORE_CASE_H_

#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/score_case.h"

namespace winnow::kernels::cuda {

// The case on the device, whose pages hold page_entries entries each.
Selection Evaluate(DeviceApi& device, const CudaBackend& backend, const ScoreCase& c,
                   int page_entries = kPageEntries);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_SCORE_CASE_H_
