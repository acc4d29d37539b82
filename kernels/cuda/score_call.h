#ifndef WINNOW_KERNELS_CUDA_SCORE_CALL_H_
#define WINNOW_KERNELS_CUDA_SCORE_CALL_H_

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/cuda/device_api.h"
#include "kernels/cuda/query_memory.h"
#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/stream_pool.h"

namespace winnow::kernels::cuda {

// One ScoreTopK on a query slot, in the order of its methods. The slot's stream must be finished
// between Start and Collect, and, if Start fails, before the slot is used again.
class ScoreCall {
 public:
  ScoreCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
            const ScoreTopKParams& params);

  // Plans, divides the slot's memory, and writes the inputs to its pinned part.
  [[nodiscard]] Error Prepare();
  // Gives the stream everything, from the inputs' copy to that of the results.
  [[nodiscard]] Error Start();
  void Collect(ScoreTopKResult* result) const;

 private:
  bool Cancelled() const;
  void CountPages();
  ScoreShape Shape() const;
  void PlacePages(DevicePage* pages) const;
  Error StartPass(int first_row);

  DeviceApi& device_;
  const DeviceLimits& limits_;
  const QuerySlot& slot_;
  const ScoreTopKParams& params_;
  QueryMemory memory_;
  ScorePlan plan_;
  uint32_t pages_ = 0;  // that some query row sees
  uint32_t most_visible_ = 0;
  ScoreArgs score_ = {};  // of the first pass
  FilterArgs filter_ = {};
  SelectArgs select_ = {};
  Candidate* selected_ = nullptr;  // [rows, k] pinned
  uint32_t* counts_ = nullptr;     // [rows] pinned
  bool complete_ = false;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_CALL_H_
