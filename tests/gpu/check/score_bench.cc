#include <algorithm>
#include <optional>

#include "kernels/cuda/launch/launch.h"
#include "kernels/cuda/score_plan.h"
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
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t count) {
    Check(cudaMalloc(reinterpret_cast<void**>(&memory_), count * sizeof(T)));
  }
  ~DeviceMemory() { Check(cudaFree(memory_)); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  T* data() const { return memory_; }

 private:
  T* memory_ = nullptr;
};

// What is measured: `contexts` contexts of equal size that together have kPages pages, each with
// `rows` query rows.
struct Work {
  std::string name;
  int contexts;
  int rows;
};

// Launches as kernels/cuda/score_call.cc makes them, with memory for all rows at once.
class Launches {
 public:
  Launches(const Work& work, const DeviceRun* runs, const ScoreArgs& inputs, DeviceApi& device)
      : early_(device.properties().launches_early),
        all_rows_(work.contexts * work.rows),
        kept_(size_t{kCapacity} * work.rows),
        list_(size_t{kListCapacity} * all_rows_),
        selected_(size_t{kTopK} * all_rows_),
        counts_(all_rows_),
        states_(all_rows_),
        score_(inputs) {
    const DeviceLimits& limits = device.properties().limits;
    Must(PlanScore(limits, {KeyFormat::kFp8E4M3, kHeads, kDim, work.rows, kTopK}, &plan_));
    const uint32_t context_pages = kPages / work.contexts;
    std::vector<ScoreRow> rows;
    for (int row = 0; row < all_rows_; ++row) {
      rows.push_back({kCapacity / work.contexts, kTopK,
                      kept_.data() + size_t{kPageEntries} * context_pages * row,
                      list_.data() + size_t{kListCapacity} * row,
                      selected_.data() + size_t{kTopK} * row});
      if (row % work.rows % plan_.rows_per_job == 0) {
        score_.jobs[score_.job_count++] = {
            .runs = runs + row / work.rows * (context_pages / kRunPages),
            .page_count = context_pages,
            .page_bits = kRunPageBits,
            .first_row = row,
            .rows = std::min(plan_.rows_per_job, work.rows - row % work.rows)};
      }
    }
    rows_.emplace(device, rows);
    score_.by_groups = plan_.by_groups;
    score_.stages = plan_.stages;
    score_.rows = rows_->data();
    score_.states = states_.data();
    plan_.score.blocks_x =
        DivideBlocks(plan_, kDim, {score_.jobs, static_cast<size_t>(score_.job_count)});
    plan_.select.blocks_x = all_rows_;
    Check(cudaMemset(states_.data(), 0, all_rows_ * sizeof(RowState)));
  }

  int rows_per_job() const { return plan_.rows_per_job; }

  // The other set of keys is `offset` runs on.
  void Run(cudaStream_t stream, int offset) {
    ScoreArgs score = score_;
    for (int i = 0; i < score.job_count; ++i) score.jobs[i].runs += offset;
    Check(LaunchKernel(plan_.score, score, stream, early_));
    const SelectArgs select = {score.rows, score.states, counts_.data()};
    Check(LaunchKernel(plan_.select, select, stream, early_));
  }

 private:
  const bool early_;
  const int all_rows_;
  DeviceMemory<CandidateKey> kept_;
  DeviceMemory<CandidateKey> list_;
  DeviceMemory<Candidate> selected_;
  DeviceMemory<uint32_t> counts_;
  DeviceMemory<RowState> states_;
  std::optional<DeviceArray<ScoreRow>> rows_;
  ScoreArgs score_;
  ScorePlan plan_;
};

}  // namespace

void BenchScore(DeviceApi& device, const Peaks& peaks, Table* out) {
  const size_t page_bytes = KeyPageBytes(KeyFormat::kFp8E4M3, kDim);
  const Work works[] = {{"score + top-k, 1 row", 1, 1},
                        {"score + top-k, 64 rows", 1, kMaxQueryRows},
                        {"score + top-k, 16 contexts", 16, 1}};
  RandomData random(TestSeed());
  DeviceArray<std::byte> keys(device, RandomPages(kSets * kPages, TestSeed()));
  DeviceArray<std::byte> queries(device,
                                 random.Queries(KeyFormat::kFp8E4M3, kDim, kMaxQueryRows * kHeads));
  DeviceArray<float> weights(device, random.Floats(kMaxQueryRows * kHeads, -1, 1));
  std::vector<const std::byte*> pages;
  for (uint32_t i = 0; i < kSets * kPages; ++i) pages.push_back(keys.data() + i * page_bytes);
  DeviceArray<const std::byte*> table(device, pages);
  cudaStream_t stream;
  Check(cudaStreamCreate(&stream));
  for (const Work& work : works) {
    std::vector<DeviceRun> list;
    for (uint32_t page = 0; page < kSets * kPages; page += kRunPages) {
      const uint32_t in_context = page % (kPages / work.contexts);
      list.push_back({table.data() + page, in_context * kPageEntries, kRunPages * kPageEntries});
    }
    DeviceArray<DeviceRun> runs(device, list);
    const ScoreArgs inputs = {.format = KeyFormat::kFp8E4M3,
                              .by_groups = false,
                              .stages = 0,
                              .heads = kHeads,
                              .dim = kDim,
                              .rows = nullptr,
                              .queries = queries.data(),
                              .weights = weights.data(),
                              .states = nullptr};
    Launches launches(work, runs.data(), inputs, device);
    const double time = MedianMicroseconds(stream, work.rows == 1 ? 50 : 10, [&](int i) {
      launches.Run(stream, i % kSets * kPages / kRunPages);
    });
    const double bytes = 1.0 * kPages * page_bytes;
    const double operations = 2.0 * work.rows * kHeads * kDim * kCapacity;
    out->Add({work.name, time,
              std::max(bytes / peaks.read_bytes, operations / peaks.mma_operations),
              std::to_string(launches.rows_per_job()) + " rows read the keys once"});
  }
  Check(cudaStreamDestroy(stream));
}

}  // namespace winnow::kernels::cuda
