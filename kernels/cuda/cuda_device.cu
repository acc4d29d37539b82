#include <cuda_runtime_api.h>

#include <chrono>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/launch/launch.h"

namespace winnow::kernels::cuda {
namespace {

constexpr int kOldestCapability = 80;

Error Report(cudaError_t error, const std::string& doing) {
  if (error == cudaSuccess) return "";
  // Forgets the error where it does not stick to the device, so that the next call starts clean.
  cudaGetLastError();
  return doing + ": " + cudaGetErrorString(error);
}

cudaStream_t Native(Stream stream) { return reinterpret_cast<cudaStream_t>(stream); }
cudaEvent_t Native(Event event) { return reinterpret_cast<cudaEvent_t>(event); }

class CudaDevice final : public DeviceApi {
 public:
  CudaDevice(int number, const DeviceProperties& properties)
      : number_(number), properties_(properties) {}

  const DeviceProperties& properties() const override { return properties_; }

  Error Allocate(size_t bytes, std::byte** memory) override {
    return Run("allocating " + std::to_string(bytes) + " bytes on the GPU",
               [&] { return cudaMalloc(reinterpret_cast<void**>(memory), bytes); });
  }
  void Free(std::byte* memory) override {
    (void)Run("freeing memory", [&] { return cudaFree(memory); });
  }
  Error AllocatePinned(size_t bytes, std::byte** memory) override {
    return Run("pinning " + std::to_string(bytes) + " bytes of host memory",
               [&] { return cudaMallocHost(reinterpret_cast<void**>(memory), bytes); });
  }
  void FreePinned(std::byte* memory) override {
    (void)Run("freeing pinned memory", [&] { return cudaFreeHost(memory); });
  }

  Error CreateStream(Stream* stream) override {
    return Run("creating a stream", [&] {
      return cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream),
                                       cudaStreamNonBlocking);
    });
  }
  void DestroyStream(Stream stream) override {
    (void)Run("ending a stream", [&] { return cudaStreamDestroy(Native(stream)); });
  }
  Error CreateEvent(Event* event) override {
    return Run("creating an event", [&] {
      return cudaEventCreateWithFlags(reinterpret_cast<cudaEvent_t*>(event),
                                      cudaEventDisableTiming | cudaEventBlockingSync);
    });
  }
  void DestroyEvent(Event event) override {
    (void)Run("ending an event", [&] { return cudaEventDestroy(Native(event)); });
  }

  Error Copy(Stream stream, void* to, const void* from, size_t bytes) override {
    return Run("copying between host and GPU",
               [&] { return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, Native(stream)); });
  }
  Error FillZero(Stream stream, void* to, size_t bytes) override {
    return Run("filling GPU memory", [&] { return cudaMemsetAsync(to, 0, bytes, Native(stream)); });
  }
  Error Launch(Stream stream, const LaunchShape& shape, const KernelCall& call) override {
    return Run("launching a kernel", [&] {
      return LaunchKernel(shape, call, Native(stream), properties_.launches_early);
    });
  }

  Error Record(Event event, Stream stream) override {
    return Run("recording an event",
               [&] { return cudaEventRecord(Native(event), Native(stream)); });
  }
  Error Wait(Stream stream, Event event) override {
    return Run("waiting for an event",
               [&] { return cudaStreamWaitEvent(Native(stream), Native(event), 0); });
  }
  Error Synchronize(Event event) override {
    return Run("running on the GPU", [&] {
      // Most calls end sooner than a sleeping thread could be woken; only longer ones are slept
      // for.
      constexpr std::chrono::microseconds kMostPolling{250};
      const auto end = std::chrono::steady_clock::now() + kMostPolling;
      do {
        const cudaError_t state = cudaEventQuery(Native(event));
        if (state != cudaErrorNotReady) return state;
        cudaGetLastError();  // it is none
      } while (std::chrono::steady_clock::now() < end);
      return cudaEventSynchronize(Native(event));
    });
  }

 private:
  // Makes the device the calling thread's first.
  template <typename Fn>
  Error Run(const std::string& doing, Fn call) const {
    const cudaError_t error = cudaSetDevice(number_);
    return Report(error == cudaSuccess ? call() : error, doing);
  }

  const int number_;
  const DeviceProperties properties_;
};

}  // namespace

Error OpenCudaDevice(int number, std::unique_ptr<DeviceApi>* device) {
  int count = 0;
  if (Error error = Report(cudaGetDeviceCount(&count), "looking for GPUs"); !error.empty()) {
    return error;
  }
  if (number < 0 || number >= count) {
    return "there is no GPU " + std::to_string(number) + "; this machine has " +
           std::to_string(count);
  }
  cudaDeviceProp found{};
  if (Error error = Report(cudaGetDeviceProperties(&found, number), "asking the GPU");
      !error.empty()) {
    return error;
  }
  if (Error error = Report(cudaSetDevice(number), "choosing the GPU"); !error.empty()) return error;
  DeviceProperties properties;
  properties.name = found.name;
  properties.compute_capability = 10 * found.major + found.minor;
  properties.memory_bytes = found.totalGlobalMem;
  properties.limits = {.multiprocessors = found.multiProcessorCount,
                       .shared_bytes_per_block = found.sharedMemPerBlockOptin,
                       .shared_bytes_per_multiprocessor = found.sharedMemPerMultiprocessor};
  if (properties.compute_capability < kOldestCapability) {
    return properties.name + " has compute capability " +
           std::to_string(properties.compute_capability) + "; at least " +
           std::to_string(kOldestCapability) + " is needed";
  }
  if (Error error = Report(HaveGroups(&properties.limits.has_groups), "reading from the GPU");
      !error.empty()) {
    return error;
  }
  const cudaError_t prepared =
      PrepareKernels(properties.limits.shared_bytes_per_block, &properties.launches_early);
  if (Error error = Report(prepared, "loading kernels"); !error.empty()) return error;
  size_t all_bytes = 0;
  const cudaError_t counted = cudaMemGetInfo(&properties.free_bytes, &all_bytes);
  if (Error error = Report(counted, "asking for free memory"); !error.empty()) return error;
  *device = std::make_unique<CudaDevice>(number, properties);
  return "";
}

}  // namespace winnow::kernels::cuda
