#ifndef WINNOW_SERVICES_SHARD_GPU_STAGING_H_
#define WINNOW_SERVICES_SHARD_GPU_STAGING_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "kernels/cuda/upload_queue.h"
#include "services/shard/staging_pool.h"
#include "storage/error.h"
#include "storage/page_set.h"

// What the parts of GpuCompute share.
namespace winnow::shard {

// INTERNAL DEVICE_FAILED, unless the error is empty.
inline absl::Status CheckDevice(const std::string& error) {
  if (error.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kInternal, "DEVICE_FAILED", absl::StrCat("the GPU: ", error));
}

// Bytes that a piece takes of a staging.
inline size_t StagedBytes(size_t bytes) {
  constexpr size_t kAlignment = 256;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Hands out a staging's memory from its start.
class StagingWriter {
 public:
  // What the last query could not bring is of no use to this one.
  explicit StagingWriter(const Staging& staging) : staging_(staging) { staging_.uploads->Renew(); }

  // Where a kernel finds the bytes: their copy, or where they are brought to now.
  std::string Bring(const Place& place, size_t bytes, const std::byte** device) {
    *device = place.device;
    if (place.device != nullptr) return "";
    std::byte* to = staging_.device + used_;
    used_ += StagedBytes(bytes);
    *device = to;
    return staging_.uploads->Upload(to, {place.host, bytes}, staging_.device);
  }

 private:
  const Staging& staging_;
  size_t used_ = 0;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_GPU_STAGING_H_
