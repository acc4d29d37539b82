#ifndef WINNOW_KERNELS_CUDA_SCORE_CALL_H_
#define WINNOW_KERNELS_CUDA_SCORE_CALL_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device_api.h"
#include "kernels/cuda/query_memory.h"
#include "kernels/cuda/score_plan.h"
#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/stream_pool.h"

namespace winnow::kernels::cuda {

// Several ScoreTopK on one query slot, in as few launches as its memory allows; in the order of its
// methods. The slot's stream must be finished between Start and Collect, and, if Start fails,
// before the slot is used again.
class ScoreCall {
 public:
  ScoreCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
            std::span<const ScoreTopKParams> queries);

  // Plans, divides the slot's memory, and writes the inputs to its pinned part.
  [[nodiscard]] Error Prepare();
  // Gives the stream everything, from the inputs' copy to that of the results.
  [[nodiscard]] Error Start();
  // One result for each query.
  void Collect(std::span<ScoreTopKResult> results) const;

 private:
  // A query that sees any page.
  struct Part {
    size_t query;    // its index
    uint32_t pages;  // that some row sees
    int first_row;
    size_t first_candidate;  // of its selected ones
  };
  struct Launch {
    size_t first_job = 0;
    int jobs = 0;
    int first_row = 0;
    int rows = 0;
    uint32_t most_pages = 0;
  };

  const ScoreTopKParams& ParamsOf(const Part& part) const { return queries_[part.query]; }
  bool AllCancelled() const;
  Error CheckAlike() const;
  void PlaceInputs(DevicePage* pages, std::byte* queries, float* weights) const;
  Error TakeMemory();
  Error DivideIntoLaunches(const DevicePage* pages, ScoreRow* rows);
  void AddJob(const Part& part, int row, int rows, const DevicePage* pages);
  Error StartLaunch(const Launch& launch);

  DeviceApi& device_;
  const DeviceLimits& limits_;
  const QuerySlot& slot_;
  const std::span<const ScoreTopKParams> queries_;
  QueryMemory memory_;
  ScorePlan plan_;
  std::vector<Part> parts_;
  int rows_ = 0;           // of all parts
  size_t candidates_ = 0;  // selected at most
  int launch_rows_ = 0;    // that states_ has room for
  std::vector<ScoreJob> jobs_;
  std::vector<Launch> launches_;
  ScoreArgs score_ = {};           // of all rows and of no job
  Candidate* selected_ = nullptr;  // [candidates_] pinned
  uint32_t* counts_ = nullptr;     // [rows_] pinned
  bool complete_ = false;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_CALL_H_
