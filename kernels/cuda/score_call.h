#ifndef WINNOW_KERNELS_CUDA_SCORE_CALL_H_
#define WINNOW_KERNELS_CUDA_SCORE_CALL_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device_api.h"
#include "kernels/cuda/key_run.h"
#include "kernels/cuda/query_memory.h"
#include "kernels/cuda/score_plan.h"
#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/stream_pool.h"

namespace winnow::kernels::cuda {

// Several queries' score + top-k on one query slot, in as few launches as its memory allows; in the
// order of its methods. The slot's stream must be finished between Start and Collect, and, if Start
// fails, before the slot is used again.
class ScoreCall {
 public:
  ScoreCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
            std::span<const ScoreRunsParams> queries);

  // Plans, divides the slot's memory, and writes the inputs to its pinned part.
  [[nodiscard]] Error Prepare();
  // Gives the stream everything, from the inputs' copy to that of the results.
  [[nodiscard]] Error Start();
  // One result for each query.
  void Collect(std::span<ScoreTopKResult> results) const;

 private:
  // A query that sees any page, and what some row of it sees.
  struct Part {
    size_t query = 0;      // its index
    uint32_t visible = 0;  // entries, as visible_entries
    uint32_t runs = 0;
    uint32_t pages = 0;         // of the runs
    uint32_t listed_pages = 0;  // of runs whose pages are listed on the host
    uint32_t page_bits = 0;     // of its jobs
    int first_row = 0;
    size_t first_candidate = 0;  // of its selected ones
  };
  // Places in the memory of the inputs.
  struct Inputs {
    DeviceRun* runs;
    const std::byte** pages;
    std::byte* queries;
    float* weights;
  };
  struct Launch {
    size_t first_job = 0;
    int jobs = 0;
    int first_row = 0;
    int rows = 0;
  };

  static Part SeenOf(const ScoreRunsParams& query);
  // Of the job's runs, which are one of each page where the query's do not divide alike.
  static uint32_t DeviceRuns(const Part& part) {
    return part.page_bits == 0 ? part.pages : part.runs;
  }
  const ScoreRunsParams& ParamsOf(const Part& part) const { return queries_[part.query]; }
  bool AllCancelled() const;
  Error CheckAlike() const;
  void PlaceInputs(Inputs to) const;
  void PlaceRuns(const Part& part, Inputs* to) const;
  Error TakeMemory();
  Error DivideIntoLaunches(const DeviceRun* runs, ScoreRow* rows);
  void AddJob(const Part& part, int row, int rows, const DeviceRun* runs);
  // A row of a part, whose candidates are kept at `kept`.
  ScoreRow RowOf(const Part& part, int row, std::byte* kept) const;
  Error StartLaunch(const Launch& launch);

  DeviceApi& device_;
  const DeviceLimits& limits_;
  const QuerySlot& slot_;
  const std::span<const ScoreRunsParams> queries_;
  QueryMemory memory_;
  ScorePlan plan_;
  std::vector<Part> parts_;
  int rows_ = 0;           // of all parts
  size_t candidates_ = 0;  // selected at most
  std::vector<ScoreJob> jobs_;
  std::vector<Launch> launches_;
  ScoreArgs score_ = {};           // of all rows and of no job
  Candidate* selected_ = nullptr;  // [candidates_] pinned
  uint32_t* counts_ = nullptr;     // [rows_] pinned
  bool complete_ = false;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_CALL_H_
