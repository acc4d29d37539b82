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
Measurement Sum(const char* name, const std::vector<Measurement>& all, std::string_view first,
                std::string_view second) {
  Measurement sum{.name = name, .microseconds = 0, .floor_microseconds = 0, .note = "their sum"};
  for (const std::string_view part : {first, second}) {
    const auto found = std::ranges::find(all, part, &Measurement::name);
    if (found == all.end()) Must("nothing measured is called " + std::string(part));
    sum.microseconds += found->microseconds;
    sum.floor_microseconds += found->floor_microseconds;
  }
  return sum;
}

std::vector<Measurement> Measure(DeviceApi& device) {
  std::vector<Measurement> all;
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
  all.push_back({"reading 1 GiB", 1073741824 / peaks.read_bytes, 0, rate(peaks.read_bytes, "B")});
  all.push_back({"copying 512 MiB", 2 * 536870912.0 / copy, 0, rate(copy, "B") + " both ways"});
  all.push_back({"1 GFLOP by mma.sync bf16", 1e9 / warps, 0, rate(warps, "FLOP")});
  if (groups > 0) {
    all.push_back({"1 GFLOP by wgmma bf16", 1e9 / groups, 0, rate(groups, "FLOP")});
  }
  BenchScore(device, peaks, &all);
  BenchAttend(device, peaks, &all);
  all.push_back(Sum("score, select and attend, 1 row", all, "score + top-k, 1 row",
                    "attention over fp8, 1 row"));
  BenchQuery(device, peaks, &all);
  return all;
}

void WriteJson(const char* path, const DeviceProperties& device, int disagreements,
               const std::vector<Measurement>& all) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) Must(std::string("cannot write ") + path);
  std::fprintf(file, "{\"device\": \"%s\", \"disagreements\": %d, \"measurements\": [",
               device.name.c_str(), disagreements);
  const char* separator = "\n";
  for (const Measurement& m : all) {
    std::fprintf(file, "%s  {\"name\": \"%s\", \"us\": %.2f, \"floor_us\": %.2f, \"note\": \"%s\"}",
                 separator, m.name.c_str(), m.microseconds, m.floor_microseconds, m.note.c_str());
    separator = ",\n";
  }
  std::fprintf(file, "\n]}\n");
  std::fclose(file);
}

void PrintTable(const DeviceProperties& device, const std::vector<Measurement>& all) {
  std::printf("%s\n%-32s %12s %12s %7s  %s\n", device.name.c_str(), "what", "median us", "floor us",
              "ratio", "");
  for (const Measurement& m : all) {
    const double ratio = m.floor_microseconds > 0 ? m.microseconds / m.floor_microseconds : 1;
    std::printf("%-32s %12.1f %12.1f %7.2f  %s\n", m.name.c_str(), m.microseconds,
                m.floor_microseconds, ratio, m.note.c_str());
  }
}

// gpu_check small | full | bench PATH_OF_JSON | profile
int Main(std::string_view mode, const char* json) {
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
  if (mode == "profile") {
    PrintTable(device->properties(), Measure(*device));
    return 0;
  }
  const int disagreements = CountDisagreements(*device, true);
  const std::vector<Measurement> all = Measure(*device);
  WriteJson(json, device->properties(), disagreements, all);
  PrintTable(device->properties(), all);
  return disagreements == 0 ? 0 : 1;
}

}  // namespace
}  // namespace winnow::kernels::cuda

int main(int argc, char** argv) {
  return winnow::kernels::cuda::Main(argc > 1 ? argv[1] : "full", argc > 2 ? argv[2] : "gpu.json");
}
