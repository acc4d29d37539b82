#ifndef WINNOW_TESTS_GPU_CHECK_TIMING_H_
#define WINNOW_TESTS_GPU_CHECK_TIMING_H_

#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

// One line of the table.
struct Measurement {
  std::string name;
  double microseconds = 0;
  double floor_microseconds = 0;  // 0 where it is a floor itself
  std::string note;
};

// Prints each line as it comes and writes it to a file of JSON with those before, so that what was
// measured is there whatever follows.
class Table {
 public:
  // Without a file where `json` is null.
  Table(const DeviceProperties& device, const char* json);

  void Add(Measurement measured);
  const std::vector<Measurement>& all() const { return all_; }

 private:
  void WriteJson() const;

  const std::string device_;
  const char* const json_;
  std::vector<Measurement> all_;
};

// Ends the process if there is an error.
void Check(cudaError_t error);

// Some 30 microseconds of the stream's time, in which the host gives it what comes next.
void KeepBusy(cudaStream_t stream);

// The median time of run(i), for i from 0 up, by events on the stream; warmed up before. The stream
// is kept busy before each, so that launching what begins is not in it.
double MedianMicroseconds(cudaStream_t stream, int rounds, const std::function<void(int)>& run);

// What this device does at best, measured: bytes per microsecond that a kernel reads, and
// floating-point operations per microsecond on bf16, of mma.sync and of wgmma.
double ReadBytesPerMicrosecond(cudaStream_t stream);
double CopyBytesPerMicrosecond(cudaStream_t stream);
double MmaOperationsPerMicrosecond(cudaStream_t stream, int multiprocessors);
double GroupOperationsPerMicrosecond(cudaStream_t stream, int multiprocessors);

struct Peaks {
  double read_bytes = 0;      // per microsecond
  double mma_operations = 0;  // per microsecond, by the faster instruction
};

// Each adds its measurements.
void BenchScore(DeviceApi& device, const Peaks& peaks, Table* out);
void BenchAttend(DeviceApi& device, const Peaks& peaks, Table* out);
void BenchQuery(DeviceApi& device, const Peaks& peaks, Table* out);

// fp8 pages of 128 dims as they lie in memory, of random finite keys.
std::vector<std::byte> RandomPages(int pages, uint64_t seed);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_CHECK_TIMING_H_
