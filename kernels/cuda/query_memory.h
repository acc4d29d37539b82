#ifndef WINNOW_KERNELS_CUDA_QUERY_MEMORY_H_
#define WINNOW_KERNELS_CUDA_QUERY_MEMORY_H_

#include <cstddef>
#include <string>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/stream_pool.h"

namespace winnow::kernels::cuda {

// Divides a query slot's memory. Inputs, and then outputs, lie at the same offsets in pinned and
// device memory, so that one copy brings all of either; workspace is device memory only, after
// them. What does not fit is counted all the same, and Check says how much would have been needed;
// until then nothing is to be written.
class QueryMemory {
 public:
  QueryMemory(DeviceApi& device, const QuerySlot& slot) : device_(device), slot_(slot) {}

  // Pinned memory for `count` values to be sent. All inputs come before the first output.
  template <typename T>
  T* Input(size_t count) {
    inputs_ += Rounded(count * sizeof(T));
    used_ = inputs_;
    return reinterpret_cast<T*>(slot_.pinned + inputs_ - Rounded(count * sizeof(T)));
  }
  // Pinned memory for `count` values to be received. All come before the first workspace.
  template <typename T>
  T* Output(size_t count) {
    T* const output = reinterpret_cast<T*>(slot_.pinned + used_);
    used_ += Rounded(count * sizeof(T));
    outputs_end_ = used_;
    return output;
  }
  // Where an input or output lies on the device.
  template <typename T>
  T* OnDevice(T* pinned) const {
    const size_t at = reinterpret_cast<const std::byte*>(pinned) - slot_.pinned;
    return reinterpret_cast<T*>(slot_.device + at);
  }

  // Device memory for `count` values of any content.
  template <typename T>
  T* Workspace(size_t count) {
    T* const workspace = reinterpret_cast<T*>(slot_.device + used_);
    used_ += Rounded(count * sizeof(T));
    return workspace;
  }
  // Device memory that is not taken yet.
  std::byte* rest() const { return slot_.device + used_; }
  size_t workspace_left() const {
    return slot_.device_bytes > used_ ? slot_.device_bytes - used_ : 0;
  }

  // Empty if all that was asked for fits.
  [[nodiscard]] Error Check() const {
    if (outputs_end_ > slot_.pinned_bytes) {
      return "this query needs " + std::to_string(outputs_end_) +
             " bytes of pinned memory; it has " + std::to_string(slot_.pinned_bytes);
    }
    if (used_ > slot_.device_bytes) {
      return "this query needs a workspace of " + std::to_string(used_) + " bytes; it has " +
             std::to_string(slot_.device_bytes);
    }
    return "";
  }

  [[nodiscard]] Error SendInputs() {
    return device_.Copy(slot_.stream, slot_.device, slot_.pinned, inputs_);
  }
  [[nodiscard]] Error ReceiveOutputs() {
    return device_.Copy(slot_.stream, slot_.pinned + inputs_, slot_.device + inputs_,
                        outputs_end_ - inputs_);
  }

 private:
  static size_t Rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }

  DeviceApi& device_;
  const QuerySlot& slot_;
  size_t inputs_ = 0;
  size_t outputs_end_ = 0;
  size_t used_ = 0;  // of device memory
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_QUERY_MEMORY_H_
