#include "kernels/cuda/simt.h"
#include "tests/gpu/check/timing.h"

namespace winnow::kernels::cuda {
namespace {

__global__ void ReadAll(const uint4* from, size_t count, uint32_t* never) {
  uint32_t sum = 0;
  const size_t stride = size_t{gridDim.x} * blockDim.x;
#pragma unroll 4
  for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
    const uint4 v = from[i];
    sum += v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x12345678u) *never = sum;
}

__global__ void Spin(int64_t cycles) {
  const int64_t begin = clock64();
  while (clock64() - begin < cycles) {
  }
}

constexpr int kChains = 8;
constexpr int kSteps = 2000;

__global__ void MultiplyAll(float* never) {
  const uint32_t a[4] = {threadIdx.x, 1, 2, 3};
  float sums[kChains][4] = {};
  for (int i = 0; i < kSteps; ++i) {
#pragma unroll
    for (int c = 0; c < kChains; ++c) simt::MmaBf16(sums[c], a, 5, 6);
  }
  float sum = 0;
#pragma unroll
  for (int c = 0; c < kChains; ++c) sum += sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3];
  if (sum == 1.2345f) *never = sum;
}

constexpr int kGroupColumns = 64;
constexpr int kGroupSteps = 8;  // of a batch, as many as a key of 128 dims has

__global__ void __launch_bounds__(512, 1) MultiplyAllByGroups(float* never) {
  if constexpr (simt::kHasGroups) {
    const uint32_t a[4] = {threadIdx.x, 1, 2, 3};
    const uint64_t b = simt::SharedMatrix(simt::SharedMemory(), 16 * kGroupColumns, 128);
    float d[kGroupColumns / 8][4] = {};
    for (int i = 0; i < kSteps; ++i) {
      simt::GroupBegin();
#pragma unroll
      for (int step = 0; step < kGroupSteps; ++step) simt::MmaGroup(d, a, b, true);
      simt::GroupCommit();
      simt::GroupWait<0>();
    }
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kGroupColumns / 2; ++i) sum += d[i / 4][i % 4];
    if (sum == 1.2345f) *never = sum;
  }
}

}  // namespace

void KeepBusy(cudaStream_t stream) {
  constexpr int64_t kCycles = 60'000;
  Spin<<<1, 1, 0, stream>>>(kCycles);
  Check(cudaGetLastError());
}

double ReadBytesPerMicrosecond(cudaStream_t stream) {
  constexpr size_t kBytes = size_t{1} << 30;
  void* from = nullptr;
  Check(cudaMalloc(&from, kBytes));
  Check(cudaMemset(from, 1, kBytes));
  const double time = MedianMicroseconds(stream, 10, [&](int) {
    ReadAll<<<2048, 512, 0, stream>>>(static_cast<const uint4*>(from), kBytes / sizeof(uint4),
                                      static_cast<uint32_t*>(from));
    Check(cudaGetLastError());
  });
  Check(cudaFree(from));
  return kBytes / time;
}

double MmaOperationsPerMicrosecond(cudaStream_t stream, int multiprocessors) {
  float* never = nullptr;
  Check(cudaMalloc(&never, sizeof(float)));
  constexpr int kWarps = 16;
  const double time = MedianMicroseconds(stream, 10, [&](int) {
    MultiplyAll<<<multiprocessors, 32 * kWarps, 0, stream>>>(never);
    Check(cudaGetLastError());
  });
  Check(cudaFree(never));
  return 2.0 * 16 * 8 * 16 * kChains * kSteps * kWarps * multiprocessors / time;
}

double GroupOperationsPerMicrosecond(cudaStream_t stream, int multiprocessors) {
  float* never = nullptr;
  Check(cudaMalloc(&never, sizeof(float)));
  constexpr int kGroups = 4;
  const double time = MedianMicroseconds(stream, 10, [&](int) {
    MultiplyAllByGroups<<<multiprocessors, 128 * kGroups, 32 * kGroupColumns, stream>>>(never);
    Check(cudaGetLastError());
  });
  Check(cudaFree(never));
  return 2.0 * 64 * kGroupColumns * 16 * kGroupSteps * kSteps * kGroups * multiprocessors / time;
}

}  // namespace winnow::kernels::cuda
