#include "tests/gpu/check/timing.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <utility>

#include "kernels/layout.h"

namespace winnow::kernels::cuda {

Table::Table(const DeviceProperties& device, const char* json) : device_(device.name), json_(json) {
  std::printf("%s\n%-32s %12s %12s %7s\n", device_.c_str(), "what", "median us", "floor us",
              "ratio");
}

void Table::Add(Measurement measured) {
  all_.push_back(std::move(measured));
  const Measurement& m = all_.back();
  const double ratio = m.floor_microseconds > 0 ? m.microseconds / m.floor_microseconds : 1;
  std::printf("%-32s %12.1f %12.1f %7.2f  %s\n", m.name.c_str(), m.microseconds,
              m.floor_microseconds, ratio, m.note.c_str());
  if (json_ != nullptr) WriteJson();
}

void Table::WriteJson() const {
  std::FILE* file = std::fopen(json_, "w");
  if (file == nullptr) {
    std::fprintf(stderr, "cannot write %s\n", json_);
    std::exit(1);
  }
  std::fprintf(file, "{\"device\": \"%s\", \"measurements\": [", device_.c_str());
  const char* separator = "\n";
  for (const Measurement& m : all_) {
    std::fprintf(file, "%s  {\"name\": \"%s\", \"us\": %.2f, \"floor_us\": %.2f, ", separator,
                 m.name.c_str(), m.microseconds, m.floor_microseconds);
    std::fprintf(file, "\"note\": \"%s\"}", m.note.c_str());
    separator = ",\n";
  }
  std::fprintf(file, "\n]}\n");
  std::fclose(file);
}

void Check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
  std::exit(1);
}

double MedianMicroseconds(cudaStream_t stream, int rounds, const std::function<void(int)>& run) {
  constexpr int kWarmUps = 5;
  cudaEvent_t begin, end;
  Check(cudaEventCreate(&begin));
  Check(cudaEventCreate(&end));
  std::vector<float> times;
  for (int i = 0; i < kWarmUps + rounds; ++i) {
    KeepBusy(stream);
    Check(cudaEventRecord(begin, stream));
    run(i);
    Check(cudaEventRecord(end, stream));
    Check(cudaEventSynchronize(end));
    float milliseconds = 0;
    Check(cudaEventElapsedTime(&milliseconds, begin, end));
    if (i >= kWarmUps) times.push_back(milliseconds);
  }
  Check(cudaEventDestroy(begin));
  Check(cudaEventDestroy(end));
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return 1000.0 * times[rounds / 2];
}

double CopyBytesPerMicrosecond(cudaStream_t stream) {
  constexpr size_t kBytes = size_t{512} << 20;
  void *from = nullptr, *to = nullptr;
  Check(cudaMalloc(&from, kBytes));
  Check(cudaMalloc(&to, kBytes));
  Check(cudaMemset(from, 1, kBytes));
  const double time = MedianMicroseconds(stream, 10, [&](int) {
    Check(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, stream));
  });
  Check(cudaFree(from));
  Check(cudaFree(to));
  return 2.0 * kBytes / time;
}

std::vector<std::byte> RandomPages(int pages, uint64_t seed) {
  constexpr int kDim = 128;
  const size_t page_bytes = KeyPageBytes(KeyFormat::kFp8E4M3, kDim);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> scale(0.01f, 0.02f);
  std::vector<std::byte> bytes(pages * page_bytes);
  for (int p = 0; p < pages; ++p) {
    std::byte* page = &bytes[p * page_bytes];
    for (int i = 0; i < kPageEntries * kDim; i += 8) {
      // No code has all of its lower seven bits set.
      const uint64_t codes = random() & 0xfefefefefefefefe;
      std::memcpy(page + i, &codes, 8);
    }
    for (int i = 0; i < kPageEntries; ++i) {
      const float value = scale(random);
      std::memcpy(page + kPageEntries * kDim + 4 * i, &value, 4);
    }
  }
  return bytes;
}

}  // namespace winnow::kernels::cuda
