#include <algorithm>

#include "kernels/cuda/launch/launch.h"
#include "tests/gpu/check/timing.h"
#include "tests/gpu/device_array.h"
#include "tests/kernels/random_data.h"

// Attention of 128 heads over 2048 rows of 512 + 64, one query row (in turn over 64 lists of rows,
// together larger than L2) and 64.
namespace winnow::kernels::cuda {
namespace {

constexpr int kRows = 2048;
constexpr int kHeads = 128;
constexpr int kLatent = 512;
constexpr int kRope = 64;

void BenchFormat(DeviceApi& device, const Peaks& peaks, RowFormat format, bool by_codes,
                 const char* name, Table* out) {
  DeviceLimits limits = device.properties().limits;
  limits.attends_by_codes = by_codes;
  const bool early = device.properties().launches_early;
  const size_t row_bytes = RowBytes(format, kLatent, kRope);
  RandomData random(TestSeed());
  DeviceArray<std::byte> rows(device, random.Rows(format, kLatent, kRope, kMaxQueryRows * kRows));
  std::vector<const std::byte*> lists;
  for (int i = 0; i < kMaxQueryRows * kRows; ++i) lists.push_back(rows.data() + i * row_bytes);
  DeviceArray<const std::byte*> pointers(device, lists);
  DeviceArray<std::byte> query(device, random.Bf16(kMaxQueryRows * kHeads * (kLatent + kRope)));
  DeviceArray<uint32_t> counts(device, std::vector<uint32_t>(kMaxQueryRows, kRows));
  cudaStream_t stream;
  Check(cudaStreamCreate(&stream));
  for (const int queries : {1, kMaxQueryRows}) {
    AttendPlan plan;
    Must(PlanAttend(limits, {format, queries, kHeads, kLatent, kRope, kRows}, &plan));
    const size_t heads = size_t{1} * queries * kHeads;
    DeviceArray<float> parts(device, std::vector<float>(plan.splits * heads * kLatent));
    DeviceArray<float> part_lse(device, std::vector<float>(plan.splits * heads));
    DeviceArray<float> outputs(device, std::vector<float>(heads * kLatent));
    DeviceArray<float> lse(device, std::vector<float>(heads));
    const double time = MedianMicroseconds(stream, 30, [&](int i) {
      const int first = queries == 1 ? i % kMaxQueryRows * kRows : 0;
      Check(LaunchKernel(
          plan.attend,
          AttendArgs{format, plan.way, queries, kHeads, kLatent, kRope, plan.splits, plan.row_block,
                     kRows, 0.0722f, plan.memory, query.data(), pointers.data() + first,
                     counts.data(), parts.data(), part_lse.data()},
          stream, early));
      if (plan.splits == 1) return;
      Check(LaunchKernel(plan.merge,
                         AttendMergeArgs{queries, kHeads, kLatent, plan.splits, parts.data(),
                                         part_lse.data(), outputs.data(), lse.data()},
                         stream, early));
    });
    const double bytes = 1.0 * queries * kRows * row_bytes;
    const double operations = 2.0 * heads * kRows * (2 * kLatent + kRope);
    out->Add({name + std::to_string(queries) + (queries == 1 ? " row" : " rows"), time,
              std::max(bytes / peaks.read_bytes, operations / peaks.mma_operations),
              std::to_string(plan.splits) + " splits"});
  }
  Check(cudaStreamDestroy(stream));
}

}  // namespace

void BenchAttend(DeviceApi& device, const Peaks& peaks, Table* out) {
  if (device.properties().limits.has_groups) {
    BenchFormat(device, peaks, RowFormat::kFp8FlashMla, true, "fp8 rows from registers, ", out);
  }
  BenchFormat(device, peaks, RowFormat::kFp8FlashMla, false, "attention over fp8, ", out);
  BenchFormat(device, peaks, RowFormat::kBf16, false, "attention over bf16, ", out);
}

}  // namespace winnow::kernels::cuda
