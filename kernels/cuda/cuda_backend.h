#ifndef WINNOW_KERNELS_CUDA_CUDA_BACKEND_H_
#define WINNOW_KERNELS_CUDA_CUDA_BACKEND_H_

#include <memory>
#include <span>

#include "kernels/backend.h"
#include "kernels/cuda/device_api.h"
#include "kernels/cuda/key_run.h"
#include "kernels/cuda/stream_pool.h"
#include "kernels/cuda/upload_queue.h"

namespace winnow::kernels::cuda {

struct CudaBackendOptions {
  int concurrent_queries = 4;
  // Of each concurrent call. Scoring needs ScoreWorkspaceBytesPerRow(pages) for each query row of a
  // launch, and makes more launches of fewer rows where there is less.
  size_t workspace_bytes = size_t{256} << 20;
  size_t pinned_bytes = size_t{32} << 20;
  UploadQueue* uploads = nullptr;  // whose uploads all queries see; may be null
  bool use_groups = true;          // where the device has them (DeviceLimits::has_groups)
  bool attend_by_codes = false;    // DeviceLimits::attends_by_codes
};

// One query row of an AttendBatch, of any context.
struct AttendQuery {
  const std::byte* query;                  // [heads, latent + rope] bf16, host
  std::span<const std::byte* const> rows;  // in device memory
  float* outputs;                          // [heads, latent_dim], host
  float* lse;                              // [heads], host
};

// Several query rows' attention in one launch; as AttendParams otherwise.
struct AttendBatch {
  RowFormat format;
  int heads;
  int latent_dim;
  int rope_dim;
  float softmax_scale;
  std::span<const AttendQuery> queries;  // 1..64
};

// Scores and attends on a GPU. Queries, weights and results are in host memory; pages and rows are
// pointers to device memory, 64- and 4-byte aligned. Thread-safe; as many calls run at once as
// there are slots, and the others wait. Scores do not depend on how entries were paged, on other
// queries of a call or on how many multiprocessors there are; where kernels or tensor cores differ,
// so may their last bits. Attention depends on how rows were divided among blocks, which follows
// from the shape of the batch and the device: equal calls give equal bits.
class CudaBackend {
 public:
  // The device and options.uploads must outlive the backend.
  [[nodiscard]] static Error Create(DeviceApi& device, const CudaBackendOptions& options,
                                    std::unique_ptr<CudaBackend>* backend);

  // Whether a block has enough shared memory for it, and its dims are among those that kernels are
  // for. What does not fit is an error of the calls below, however few entries there are.
  bool CanScore(const ScoreQuery& query, int k) const;
  bool CanAttend(RowFormat format, int latent_dim, int rope_dim) const;

  // Queries of any contexts, alike in format, heads and dims, in as few launches as memory allows;
  // a result for each. One that was cancelled has complete = false, without an error. After an
  // error the results mean nothing. `staged` is a queue whose uploads these queries see beside
  // options.uploads; may be null.
  [[nodiscard]] Error TryScoreRuns(std::span<const ScoreRunsParams> queries,
                                   std::span<ScoreTopKResult> results,
                                   UploadQueue* staged = nullptr) const;
  [[nodiscard]] Error TryAttend(const AttendBatch& batch, UploadQueue* staged = nullptr) const;

 private:
  CudaBackend(DeviceApi& device, const CudaBackendOptions& options);
  Error AwaitUploads(Stream stream, UploadQueue* staged) const;

  DeviceApi& device_;
  const CudaBackendOptions options_;
  DeviceLimits limits_;  // constant after construction
  std::unique_ptr<StreamPool> slots_;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_CUDA_BACKEND_H_
