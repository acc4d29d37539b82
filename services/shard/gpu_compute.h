#ifndef WINNOW_SERVICES_SHARD_GPU_COMPUTE_H_
#define WINNOW_SERVICES_SHARD_GPU_COMPUTE_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/hbm_arena.h"
#include "kernels/cuda/score_plan.h"
#include "kernels/cuda/upload_queue.h"
#include "services/shard/batch_queue.h"
#include "services/shard/compute.h"
#include "services/shard/staging_pool.h"

namespace winnow::shard {

struct GpuOptions {
  // Device memory for copies of pages; 0 takes what the queries leave of 90 % of what is free when
  // the device is opened. Lists of where they are take 1/512 more, 2 MiB at least.
  size_t page_bytes = 0;
  // Queries that run at once; more wait.
  int concurrent_queries = 4;
  // Of each concurrent query: for scores and partial results, for what goes up and comes down, and
  // for pages and rows without a copy on the device, which are brought there as they are needed.
  size_t workspace_bytes = size_t{256} << 20;
  size_t pinned_bytes = size_t{32} << 20;
  size_t staging_bytes = size_t{64} << 20;
};

// A GPU. Pages get copies in its memory while there is room, which DeviceTier makes; those without
// one, the warm ones, stay in host memory and are streamed through a query's staging memory. Calls
// that wait for their turn at the same time are served by the same launches, whatever their
// contexts. Shapes that the GPU cannot compute are left to `cpu`. Several shards may share it.
// Thread-safe.
class GpuCompute final : public Compute {
 public:
  // `name` is for people; `cpu` may be null if no shape is left to it. RESOURCE_EXHAUSTED
  // DEVICE_MEMORY if the device has too little memory free, INTERNAL DEVICE_FAILED if it fails.
  static absl::StatusOr<std::unique_ptr<GpuCompute>> Create(
      std::unique_ptr<kernels::cuda::DeviceApi> device, const std::string& name,
      const GpuOptions& options, std::unique_ptr<Compute> cpu);
  ~GpuCompute() override;

  std::string name() const override { return name_; }
  int threads() const override { return 1; }
  PageMirror* mirror() override;
  absl::Status Score(const ScoreWork& work, kernels::ScoreTopKResult* result) override;
  absl::Status Attend(const AttendWork& work) override;

 private:
  class Mirror;
  struct FreeOnDevice {
    kernels::cuda::DeviceApi* device;
    void operator()(std::byte* memory) const { device->Free(memory); }
  };
  GpuCompute(std::unique_ptr<kernels::cuda::DeviceApi> device, std::string name,
             const GpuOptions& options, std::unique_ptr<Compute> cpu);
  absl::Status Init();
  absl::StatusOr<Staging> NewStaging(size_t bytes);

  // What calls need in one launch, which is added up once for each.
  struct ScoreNeed {
    size_t most_pages = 0;    // of one of them
    size_t staged_bytes = 0;  // of warm pages
    size_t pinned_bytes = 0;

    void Add(const ScoreNeed& other) {
      most_pages = std::max(most_pages, other.most_pages);
      staged_bytes += other.staged_bytes;
      pinned_bytes += other.pinned_bytes;
    }
  };
  struct ScoreTask {
    ScoreWork work;
    kernels::ScoreTopKResult* result;
    ScoreNeed need;
  };
  static ScoreNeed NeedOf(const ScoreWork& work);
  bool Fits(const ScoreNeed& need) const;
  // Tasks that ScoresTogether says can be. Their results mean nothing after an error.
  absl::Status ScoreTogether(std::span<const ScoreTask* const> tasks, const Staging& staging);
  absl::Status ScoreInParts(const ScoreTask& task, const Staging& staging);
  bool ScoresTogether(std::span<const ScoreTask* const> batch, const ScoreTask& task) const;
  // Pages of a call that the workspace and the pinned memory have room for at once.
  size_t MostPages(const ScoreWork& work) const;
  // Cuts off what to score first of the runs, which Fits: whole runs, or else pages of the first
  // one; at least one page, or RESOURCE_EXHAUSTED DEVICE_MEMORY.
  absl::StatusOr<std::vector<ScoreRun>> CutPart(const ScoreWork& work,
                                                std::deque<ScoreRun>* runs) const;

  // Query rows of one call.
  struct AttendRows {
    const AttendWork* work;
    size_t first;
    size_t count;
  };
  struct AttendNeed {
    size_t rows = 0;
    size_t most_rows = 0;  // attended to by one of them
    size_t staged_bytes = 0;
    size_t head_bytes = 0;  // of queries and results

    void Add(const AttendNeed& other) {
      rows += other.rows;
      most_rows = std::max(most_rows, other.most_rows);
      staged_bytes += other.staged_bytes;
      head_bytes += other.head_bytes;
    }
  };
  struct AttendTask {
    const AttendWork& work;
    AttendNeed need;
  };
  static AttendNeed NeedOfRow(const AttendWork& work, size_t row);
  bool Fits(const AttendNeed& need) const;
  // Query rows from `first` on that fit into one launch; at least one, or RESOURCE_EXHAUSTED
  // DEVICE_MEMORY.
  absl::StatusOr<size_t> RowsThatFit(const AttendWork& work, size_t first) const;
  absl::Status AttendTogether(std::span<const AttendRows> parts, const Staging& staging);
  absl::Status AttendInParts(const AttendWork& work, const Staging& staging);
  bool AttendsTogether(std::span<const AttendTask* const> batch, const AttendTask& task) const;

  // Constant after construction; each synchronises itself. Taken down from bottom to top.
  const std::unique_ptr<kernels::cuda::DeviceApi> device_;
  const std::string name_;
  const GpuOptions options_;
  const std::unique_ptr<Compute> cpu_;
  std::unique_ptr<kernels::cuda::HbmArena> arena_;
  std::unique_ptr<kernels::cuda::HbmArena> tables_;         // lists of where pages are
  std::unique_ptr<kernels::cuda::UploadQueue> uploads_;     // of appends, which all queries see
  std::unique_ptr<kernels::cuda::UploadQueue> promotions_;  // of copies that no query sees yet
  std::unique_ptr<Mirror> mirror_;
  std::vector<std::unique_ptr<std::byte, FreeOnDevice>> staging_memory_;
  std::vector<std::unique_ptr<kernels::cuda::UploadQueue>> staging_uploads_;
  std::unique_ptr<StagingPool> stagings_;
  std::unique_ptr<BatchQueue<ScoreTask>> score_queue_;
  std::unique_ptr<BatchQueue<AttendTask>> attend_queue_;
  std::unique_ptr<kernels::cuda::CudaBackend> backend_;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_GPU_COMPUTE_H_
