#include "services/winnowd/compute.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/shard/gpu_compute.h"
#include "services/winnowd/log.h"
#include "storage/error.h"

namespace winnow {
namespace {

absl::StatusOr<std::unique_ptr<shard::Compute>> OpenGpu(const Options& options, int number,
                                                        std::unique_ptr<shard::Compute> cpu) {
  Log(LogLevel::kInfo, "opening GPU", {{"device", absl::StrCat("cuda:", number)}});
  const absl::Time start = absl::Now();
  std::unique_ptr<kernels::cuda::DeviceApi> device;
  const std::string error = kernels::cuda::OpenCudaDevice(number, &device);
  if (!error.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "NO_DEVICE",
                 absl::StrCat("cuda:", number, ": ", error));
  }
  const std::string name = absl::StrCat("cuda:", number, " ", device->properties().name);
  absl::StatusOr<std::unique_ptr<shard::GpuCompute>> gpu = shard::GpuCompute::Create(
      std::move(device), name, {.page_bytes = options.device_memory_bytes}, std::move(cpu));
  if (!gpu.ok()) return gpu.status();
  Log(LogLevel::kInfo, "opened GPU",
      {{"device", name}, {"duration", absl::FormatDuration(absl::Now() - start)}});
  return *std::move(gpu);
}

}  // namespace

absl::StatusOr<std::unique_ptr<shard::Compute>> OpenCompute(const Options& options,
                                                            const kernels::Backend* backend,
                                                            kernels::WorkerPool* pool) {
  constexpr size_t kNumberAt = sizeof("cuda:") - 1;
  auto cpu = [&] { return std::make_unique<shard::CpuCompute>(backend, pool); };
  if (options.device != "auto" && options.device != "cpu") {
    return OpenGpu(options, std::atoi(options.device.c_str() + kNumberAt), cpu());
  }
  if (options.device == "auto") {
    absl::StatusOr<std::unique_ptr<shard::Compute>> gpu = OpenGpu(options, 0, cpu());
    if (gpu.ok()) return gpu;
    Log(LogLevel::kInfo, "no GPU", {{"message", std::string(gpu.status().message())}});
  }
  return cpu();
}

}  // namespace winnow
