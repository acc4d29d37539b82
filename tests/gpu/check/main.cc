#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "tests/gpu/check/correctness.h"
#include "tests/gpu/check/timing.h"
#include "tests/gpu/device_array.h"

namespace winnow::kernels::cuda {
namespace {

// Of two that run one after the other.
Measurement Sum(const char* name, const Table& table, std::string_view first,
                std::string_view second) {
  Measurement sum{.name = name, .microseconds = 0, .floor_microseconds = 0, .note = "their sum"};
  for (const std::string_view part : {first, second}) {
    const auto found = std::ranges::find(table.all(), part, &Measurement::name);
    if (found == table.all().end()) Must("nothing measured is called " + std::string(part));
    sum.microseconds += found->microseconds;
    sum.floor_microseconds += found->floor_microseconds;
  }
  return sum;
}

// What is least known comes last.
void Measure(DeviceApi& device, const char* json) {
  Table table(device.properties(), json);
  cudaStream_t stream;
  Check(cudaStreamCreate(&stream));
  Peaks peaks;
  peaks.read_bytes = ReadBytesPerMicrosecond(stream);
  const DeviceLimits& limits = device.properties().limits;
  const double warps = MmaOperationsPerMicrosecond(stream, limits.multiprocessors);
  const double groups =
      limits.has_groups ? GroupOperationsPerMicrosecond(stream, limits.multiprocessors) : 0;
  peaks.mma_operations = std::max(warps, groups);
  const double copy = CopyBytesPerMicrosecond(stream);
  Check(cudaStreamDestroy(stream));
  const auto rate = [](double per_microsecond, const char* unit) {
    char text[64];
    std::snprintf(text, sizeof text, "%.2f T%s/s", per_microsecond / 1e6, unit);
    return std::string(text);
  };
  table.Add({"reading 1 GiB", 1073741824 / peaks.read_bytes, 0, rate(peaks.read_bytes, "B")});
  table.Add({"copying 512 MiB", 2 * 536870912.0 / copy, 0, rate(copy, "B") + " both ways"});
  table.Add({"1 GFLOP by mma.sync bf16", 1e9 / warps, 0, rate(warps, "FLOP")});
  if (groups > 0) {
    table.Add({"1 GFLOP by wgmma bf16", 1e9 / groups, 0, rate(groups, "FLOP")});
  }
  BenchScore(device, peaks, &table);
  BenchAttend(device, peaks, &table);
  table.Add(Sum("score, select and attend, 1 row", table, "score + top-k, 1 row",
                "attention over fp8, 1 row"));
  BenchQuery(device, peaks, &table);
}

// gpu_check small | full | bench PATH_OF_JSON | profile
int Main(std::string_view mode, const char* json) {
  // What a kernel that hangs leaves behind is the last line, wherever it goes.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  std::unique_ptr<DeviceApi> device;
  if (const Error error = OpenCudaDevice(0, &device); !error.empty()) {
    std::printf("no check: %s\n", error.c_str());
    return HasGpu() ? 1 : 77;
  }
  if (mode == "small" || mode == "full") {
    const int wrong = device->properties().limits.has_groups ? CountWrongProducts() : 0;
    return wrong + CountDisagreements(*device, mode == "small") == 0 ? 0 : 1;
  }
  // A profiler replays each kernel, so that only what is measured should run under it.
  Measure(*device, mode == "profile" ? nullptr : json);
  return 0;
}

}  // namespace
}  // namespace winnow::kernels::cuda

int main(int argc, char** argv) {
  return winnow::kernels::cuda::Main(argc > 1 ? argv[1] : "full", argc > 2 ? argv[2] : "gpu.json");
}
