#include "kernels/cuda/cuda_backend.h"

#include "kernels/cuda/attend_call.h"
#include "kernels/cuda/score_call.h"

namespace winnow::kernels::cuda {

CudaBackend::CudaBackend(DeviceApi& device, const CudaBackendOptions& options)
    : device_(device), options_(options), limits_(device.properties().limits) {
  limits_.has_groups = limits_.has_groups && options.use_groups;
  limits_.attends_by_codes = options.attend_by_codes;
}

Error CudaBackend::Create(DeviceApi& device, const CudaBackendOptions& options,
                          std::unique_ptr<CudaBackend>* backend) {
  std::unique_ptr<CudaBackend> made(new CudaBackend(device, options));
  Error error = StreamPool::Create(device, options.concurrent_queries, options.workspace_bytes,
                                   options.pinned_bytes, &made->slots_);
  if (!error.empty()) return error;
  *backend = std::move(made);
  return "";
}

bool CudaBackend::CanScore(const ScoreQuery& query, int k) const {
  ScorePlan plan;
  return PlanScore(limits_,
                   {.format = query.format,
                    .heads = query.heads,
                    .dim = query.dim,
                    .most_k = static_cast<uint32_t>(k)},
                   &plan)
      .empty();
}

bool CudaBackend::CanAttend(RowFormat format, int latent_dim, int rope_dim) const {
  AttendPlan plan;
  return PlanAttend(limits_, {.format = format, .latent_dim = latent_dim, .rope_dim = rope_dim},
                    &plan)
      .empty();
}

Error CudaBackend::AwaitUploads(Stream stream, UploadQueue* staged) const {
  for (UploadQueue* const uploads : {options_.uploads, staged}) {
    if (uploads == nullptr) continue;
    if (Error error = uploads->Order(stream); !error.empty()) return error;
  }
  return "";
}

Error CudaBackend::TryScoreRuns(std::span<const ScoreRunsParams> queries,
                                std::span<ScoreTopKResult> results, UploadQueue* staged) const {
  for (size_t i = 0; i < queries.size(); ++i) {
    results[i].selected.assign(queries[i].query.rows, {});
    results[i].complete = false;
  }
  StreamPool::Lease lease = slots_->Take();
  ScoreCall call(device_, limits_, lease.slot(), queries);
  Error error = call.Prepare();
  if (error.empty()) error = AwaitUploads(lease.slot().stream, staged);
  if (error.empty()) error = call.Start();
  if (error.empty()) error = lease.Finish();
  if (error.empty()) call.Collect(results);
  return error;
}

Error CudaBackend::TryAttend(const AttendBatch& batch, UploadQueue* staged) const {
  StreamPool::Lease lease = slots_->Take();
  AttendCall call(device_, limits_, lease.slot(), batch);
  Error error = call.Prepare();
  if (error.empty()) error = AwaitUploads(lease.slot().stream, staged);
  if (error.empty()) error = call.Start();
  if (error.empty()) error = lease.Finish();
  if (error.empty()) call.Collect();
  return error;
}

}  // namespace winnow::kernels::cuda
