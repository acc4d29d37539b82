#include <algorithm>

#include "kernels/cuda/launch/launch.h"
#include "tests/gpu/check/timing.h"
#include "tests/gpu/device_array.h"
#include "tests/kernels/random_data.h"

// Score + top-k over 1,048,576 fp8 keys, 64 heads of 128 dims, k = 2048, as the backend runs it, in
// turn over two sets of keys, each larger than L2.
namespace winnow::kernels::cuda {
namespace {

constexpr int kPages = 16384;
constexpr int kSets = 2;
constexpr int kHeads = 64;
constexpr int kDim = 128;
constexpr uint32_t kTopK = 2048;
constexpr uint32_t kCapacity = kPages * kPageEntries;

template <typename T>
void TakeMemory(size_t count, T** memory) {
  Check(cudaMalloc(reinterpret_cast<void**>(memory), count * sizeof(T)));
}

struct Workspace {
  explicit Workspace(size_t rows) {
    TakeMemory(rows, &states);
    TakeMemory(rows * kCapacity, &kept);
    TakeMemory(rows * kFilteredCapacity, &filtered);
    TakeMemory(size_t{kMaxQueryRows} * kTopK, &selected);
    TakeMemory(kMaxQueryRows, &counts);
  }
  ~Workspace() {
    Check(cudaFree(states));
    Check(cudaFree(kept));
    Check(cudaFree(filtered));
    Check(cudaFree(selected));
    Check(cudaFree(counts));
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  RowState* states = nullptr;
  CandidateKey* kept = nullptr;
  CandidateKey* filtered = nullptr;
  Candidate* selected = nullptr;
  uint32_t* counts = nullptr;
};

// One pass of `rows` query rows over the keys.
void RunPass(const ScorePlan& plan, const ScoreArgs& score, const Workspace& w,
             cudaStream_t stream) {
  LaunchShape filter = plan.filter, select = plan.select;
  filter.blocks_y = score.rows;
  select.blocks_x = score.rows;
  Check(cudaMemsetAsync(w.states, 0, score.rows * sizeof(RowState), stream));
  Check(LaunchKernel(plan.score, score, stream));
  Check(LaunchKernel(filter,
                     FilterArgs{kTopK, kCapacity, kFilteredCapacity, w.kept, w.states, w.filtered},
                     stream));
  Check(LaunchKernel(select,
                     SelectArgs{kTopK, kCapacity, kFilteredCapacity, w.kept, w.filtered, w.states,
                                w.selected, w.counts},
                     stream));
}

}  // namespace

void BenchScore(DeviceApi& device, const Peaks& peaks, std::vector<Measurement>* out) {
  const size_t page_bytes = KeyPageBytes(KeyFormat::kFp8E4M3, kDim);
  RandomData random(TestSeed());
  DeviceArray<std::byte> keys(device, RandomPages(kSets * kPages, TestSeed()));
  std::vector<DevicePage> table;
  for (uint32_t i = 0; i < kSets * kPages; ++i) {
    table.push_back({keys.data() + i * page_bytes, i % kPages * kPageEntries, kPageEntries});
  }
  DeviceArray<DevicePage> pages(device, table);
  DeviceArray<std::byte> queries(device,
                                 random.Queries(KeyFormat::kFp8E4M3, kDim, kMaxQueryRows * kHeads));
  DeviceArray<float> weights(device, random.Floats(kMaxQueryRows * kHeads, -1, 1));
  DeviceArray<uint32_t> visible(device, std::vector<uint32_t>(kMaxQueryRows, kCapacity));
  cudaStream_t stream;
  Check(cudaStreamCreate(&stream));
  for (const int rows : {1, kMaxQueryRows}) {
    ScorePlan plan;
    Must(PlanScore(device.properties().limits,
                   {KeyFormat::kFp8E4M3, rows, kHeads, kDim, kTopK, kPages}, &plan));
    const Workspace workspace(plan.rows_per_pass);
    const double time = MedianMicroseconds(stream, rows == 1 ? 50 : 10, [&](int i) {
      for (int row = 0; row < rows; row += plan.rows_per_pass) {
        const int pass_rows = std::min(plan.rows_per_pass, rows - row);
        RunPass(plan,
                {KeyFormat::kFp8E4M3, plan.by_groups, pass_rows, kHeads, kDim, kTopK, kPages,
                 kCapacity, pages.data() + i % kSets * kPages, queries.data() + row * kHeads * kDim,
                 weights.data() + row * kHeads, visible.data(), workspace.states, workspace.kept},
                workspace, stream);
      }
    });
    const double bytes = 1.0 * kPages * page_bytes;
    const double operations = 2.0 * rows * kHeads * kDim * kCapacity;
    out->push_back({"score + top-k, " + std::to_string(rows) + " rows", time,
                    std::max(bytes / peaks.read_bytes, operations / peaks.mma_operations),
                    std::to_string(plan.rows_per_pass) + " rows a pass"});
  }
  Check(cudaStreamDestroy(stream));
}

}  // namespace winnow::kernels::cuda
