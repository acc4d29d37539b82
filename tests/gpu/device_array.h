#ifndef WINNOW_TESTS_GPU_DEVICE_ARRAY_H_
#define WINNOW_TESTS_GPU_DEVICE_ARRAY_H_

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

// Ends the process if there is an error: for what a test only needs, and does not test.
inline void Must(const Error& error) {
  if (error.empty()) return;
  std::fprintf(stderr, "%s\n", error.c_str());
  std::exit(1);
}

// Device memory with a copy of `values`, and back.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(DeviceApi& device, const std::vector<T>& values)
      : device_(device), count_(values.size()) {
    const size_t bytes = std::max<size_t>(1, count_ * sizeof(T));
    Must(device_.CreateStream(&stream_));
    Must(device_.CreateEvent(&event_));
    Must(device_.Allocate(bytes, &memory_));
    Must(device_.AllocatePinned(bytes, &pinned_));
    if (count_ > 0) std::memcpy(pinned_, values.data(), count_ * sizeof(T));
    Transfer(memory_, pinned_);
  }
  ~DeviceArray() {
    device_.FreePinned(pinned_);
    device_.Free(memory_);
    device_.DestroyEvent(event_);
    device_.DestroyStream(stream_);
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return reinterpret_cast<T*>(memory_); }
  size_t size() const { return count_; }
  std::vector<T> Read() {
    Transfer(pinned_, memory_);
    std::vector<T> values(count_);
    if (count_ > 0) std::memcpy(values.data(), pinned_, count_ * sizeof(T));
    return values;
  }

  // Runs a kernel on this array's stream and waits for it.
  void Run(const LaunchShape& shape, const KernelCall& call) {
    Must(device_.Launch(stream_, shape, call));
    Finish();
  }

 private:
  void Transfer(std::byte* to, const std::byte* from) {
    Must(device_.Copy(stream_, to, from, count_ * sizeof(T)));
    Finish();
  }
  void Finish() {
    Must(device_.Record(event_, stream_));
    Must(device_.Synchronize(event_));
  }

  DeviceApi& device_;
  const size_t count_;
  Stream stream_ = nullptr;
  Event event_ = nullptr;
  std::byte* memory_ = nullptr;
  std::byte* pinned_ = nullptr;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_DEVICE_ARRAY_H_
