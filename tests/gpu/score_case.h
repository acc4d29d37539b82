#ifndef WINNOW_TESTS_GPU_SCORE_CASE_H_
#define WINNOW_TESTS_GPU_SCORE_CASE_H_

#include <atomic>
#include <cstddef>
#include <vector>

#include "kernels/cuda/cuda_backend.h"
#include "tests/gpu/device_array.h"
#include "tests/kernels/score_case.h"

namespace winnow::kernels::cuda {

// A case whose keys lie in device memory, in pages that hold page_entries each.
class PlacedCase {
 public:
  PlacedCase(DeviceApi& device, const ScoreCase& placed, int page_entries = kPageEntries);

  ScoreRunsParams run_params(const std::atomic<bool>* cancelled = nullptr) const {
    return RunParams(runs, cancelled);
  }
  ScoreRunsParams RunParams(const std::vector<KeyRun>& these,
                            const std::atomic<bool>* cancelled = nullptr) const;

  ScoreCase c;
  DeviceArray<std::byte> memory;
  std::vector<const std::byte*> addresses;  // of the pages
  DeviceArray<const std::byte*> table;      // the same on the device
  // Of kRunPages full pages, with both lists, of which the one on the device counts; or, where
  // page_entries is not kPageEntries, of a page each, listed on the host.
  std::vector<KeyRun> runs;
};

// The case in runs of full pages; or, where page_entries is not kPageEntries, page by page.
Selection Evaluate(DeviceApi& device, const CudaBackend& backend, const ScoreCase& c,
                   int page_entries = kPageEntries);

// What the cases, alike in format, heads and dims, select in one call; the first that differs from
// the reference, and how. Empty if none does.
Error DisagreementTogether(DeviceApi& device, const CudaBackend& backend,
                           const std::vector<ScoreCase>& cases);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_SCORE_CASE_H_
