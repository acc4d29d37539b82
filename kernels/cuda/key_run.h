#ifndef WINNOW_KERNELS_CUDA_KEY_RUN_H_
#define WINNOW_KERNELS_CUDA_KEY_RUN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace winnow::kernels::cuda {

// Index keys of consecutive positions in 1..kRunPages pages of device memory, each as
// KeyPage::keys. All pages but the last are full. The pages' addresses are listed in one of two
// places; a list on the device is not sent with each query.
struct KeyRun {
  const std::byte* const* on_device = nullptr;  // [pages] in device memory; may be null
  const std::byte* const* on_host = nullptr;    // [pages]; where on_device is null
  uint32_t first_position = 0;
  uint32_t entries = 0;
};

// As ScoreTopKParams, of runs in ascending position order. What a query sends for them is least,
// 16 bytes a run, where all runs but the last have kRunPages full pages.
struct ScoreRunsParams {
  ScoreQuery query;
  std::span<const KeyRun> runs;
  std::span<const uint32_t> visible_entries;
  int k = 0;
  const std::atomic<bool>* cancelled = nullptr;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_KEY_RUN_H_
