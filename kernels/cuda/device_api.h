#ifndef WINNOW_KERNELS_CUDA_DEVICE_API_H_
#define WINNOW_KERNELS_CUDA_DEVICE_API_H_

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/cuda/kernel_call.h"

namespace winnow::kernels::cuda {

// How this folder reports failure: what went wrong, empty if nothing did.
using Error = std::string;

struct DeviceProperties {
  std::string name;
  int compute_capability = 0;  // 80, 90, ...
  size_t memory_bytes = 0;
  size_t free_bytes = 0;  // of these, once it was opened: others may use it too
  DeviceLimits limits;
  bool launches_early = false;  // a kernel that waits for the last launch, before that has ended
};

// Work in the order it was given; nullptr is none. Events mark a point in it.
using Stream = struct StreamHandle*;
using Event = struct EventHandle*;

// What the host logic needs of a GPU. There are two: the CUDA runtime (cuda_device.cu) and the
// stand-in of the tests (tests/gpu/fake_device.h). Thread-safe; one stream may be given work by one
// thread at a time.
class DeviceApi {
 public:
  virtual ~DeviceApi() = default;

  virtual const DeviceProperties& properties() const = 0;

  // Device memory, 256-byte aligned, of any content. Taking and freeing wait for the device: at the
  // start and the end only.
  [[nodiscard]] virtual Error Allocate(size_t bytes, std::byte** memory) = 0;
  virtual void Free(std::byte* memory) = 0;
  // Host memory that the device copies from and to without waiting.
  [[nodiscard]] virtual Error AllocatePinned(size_t bytes, std::byte** memory) = 0;
  virtual void FreePinned(std::byte* memory) = 0;

  [[nodiscard]] virtual Error CreateStream(Stream* stream) = 0;
  virtual void DestroyStream(Stream stream) = 0;
  [[nodiscard]] virtual Error CreateEvent(Event* event) = 0;
  virtual void DestroyEvent(Event event) = 0;

  // On the stream: copies, either way, between device and pinned memory; fills; runs a kernel. What
  // fails later is reported by Synchronize.
  [[nodiscard]] virtual Error Copy(Stream stream, void* to, const void* from, size_t bytes) = 0;
  [[nodiscard]] virtual Error FillZero(Stream stream, void* to, size_t bytes) = 0;
  [[nodiscard]] virtual Error Launch(Stream stream, const LaunchShape& shape,
                                     const KernelCall& call) = 0;

  // Marks what the stream has been given so far.
  [[nodiscard]] virtual Error Record(Event event, Stream stream) = 0;
  // Makes the stream wait for the event's last mark; returns at once.
  [[nodiscard]] virtual Error Wait(Stream stream, Event event) = 0;
  // Waits on the host for the event's last mark. Safe on several threads.
  [[nodiscard]] virtual Error Synchronize(Event event) = 0;
};

// A GPU by its number, with all kernels loaded; or what is wrong: there is none, it is older than
// sm_80, or this build is without CUDA. Sets the calling thread's device.
[[nodiscard]] Error OpenCudaDevice(int number, std::unique_ptr<DeviceApi>* device);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_DEVICE_API_H_
