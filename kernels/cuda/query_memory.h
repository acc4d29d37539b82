#ifndef WINNOW_KERNELS_CUDA_QUERY_MEMORY_H_
#define WINNOW_KERNELS_CUDA_QUERY_MEMORY_H_

#include <cstddef>
#include <cstring>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/stream_pool.h"

namespace winnow::kernels::cuda {

// Divides a query slot's memory: inputs lie at the same offsets in pinned and device memory, so
// that one copy brings them all; workspace is device memory only. What does not fit is counted all
// the same, and Check says how much would have been needed.
class QueryMemory {
 public:
  QueryMemory(DeviceApi& device, const QuerySlot& slot) : device_(device), slot_(slot) {}

  // Copies `count` values to where SendInputs takes them from. Returns where they will be on the
  // device. All inputs come before the first workspace.
  template <typename T>
  const T* Input(const T* values, size_t count) {
    T* const room = InputRoom<T>(count);
    if (room != nullptr && count > 0) std::memcpy(room, values, count * sizeof(T));
    return reinterpret_cast<const T*>(slot_.device + inputs_ - Rounded(count * sizeof(T)));
  }

  // The same for values that are yet to be written; null if there is no room.
  template <typename T>
  T* InputRoom(size_t count) {
    const size_t at = inputs_;
    inputs_ += Rounded(count * sizeof(T));
    workspace_ = inputs_;
    return inputs_ <= slot_.pinned_bytes ? reinterpret_cast<T*>(slot_.pinned + at) : nullptr;
  }
  // Where what was written into an InputRoom will be on the device.
  template <typename T>
  const T* OnDevice(const T* input) const {
    return reinterpret_cast<const T*>(slot_.device +
                                      (reinterpret_cast<const std::byte*>(input) - slot_.pinned));
  }

  // Device memory for `count` values of any content.
  template <typename T>
  T* Workspace(size_t count) {
    const size_t at = workspace_;
    workspace_ += Rounded(count * sizeof(T));
    return reinterpret_cast<T*>(slot_.device + at);
  }

  // Pinned memory for `count` values, after the inputs.
  template <typename T>
  T* Output(size_t count) {
    const size_t at = inputs_ + outputs_;
    outputs_ += Rounded(count * sizeof(T));
    return reinterpret_cast<T*>(slot_.pinned + at);
  }

  // Device memory that is not taken yet.
  std::byte* rest() const { return slot_.device + workspace_; }
  size_t workspace_left() const {
    return slot_.device_bytes > workspace_ ? slot_.device_bytes - workspace_ : 0;
  }

  // Empty if all that was asked for fits.
  [[nodiscard]] Error Check() const {
    if (inputs_ + outputs_ > slot_.pinned_bytes) {
      return "this query needs " + std::to_string(inputs_ + outputs_) +
             " bytes of pinned memory; it has " + std::to_string(slot_.pinned_bytes);
    }
    if (workspace_ > slot_.device_bytes) {
      return "this query needs a workspace of " + std::to_string(workspace_) + " bytes; it has " +
             std::to_string(slot_.device_bytes);
    }
    return "";
  }

  [[nodiscard]] Error SendInputs() {
    return device_.Copy(slot_.stream, slot_.device, slot_.pinned, inputs_);
  }

 private:
  static size_t Rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }

  DeviceApi& device_;
  const QuerySlot& slot_;
  size_t inputs_ = 0;
  size_t outputs_ = 0;
  size_t workspace_ = 0;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_QUERY_MEMORY_H_
