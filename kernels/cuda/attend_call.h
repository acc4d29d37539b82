#ifndef WINNOW_KERNELS_CUDA_ATTEND_CALL_H_
#define WINNOW_KERNELS_CUDA_ATTEND_CALL_H_

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/device_api.h"
#include "kernels/cuda/query_memory.h"
#include "kernels/cuda/sparse_attention.h"
#include "kernels/cuda/stream_pool.h"

namespace winnow::kernels::cuda {

// One TryAttend on a query slot; used as ScoreCall is.
class AttendCall {
 public:
  AttendCall(DeviceApi& device, const DeviceLimits& limits, const QuerySlot& slot,
             const AttendBatch& batch);

  [[nodiscard]] Error Prepare();
  [[nodiscard]] Error Start();
  void Collect() const;

 private:
  void PlaceInputs(std::byte* queries, const std::byte** rows, uint32_t* counts) const;
  int queries() const { return static_cast<int>(batch_.queries.size()); }
  size_t Heads() const { return batch_.queries.size() * batch_.heads; }

  DeviceApi& device_;
  const DeviceLimits& limits_;
  const QuerySlot& slot_;
  const AttendBatch& batch_;
  QueryMemory memory_;
  AttendPlan plan_;
  uint32_t most_rows_ = 0;
  AttendArgs attend_ = {};
  AttendMergeArgs merge_ = {};
  float* outputs_ = nullptr;  // [queries, heads, latent_dim] pinned
  float* lse_ = nullptr;      // [queries, heads] pinned
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_ATTEND_CALL_H_
