#include <algorithm>
#include <chrono>

#include "kernels/cuda/cuda_backend.h"
#include "tests/gpu/check/timing.h"
#include "tests/gpu/device_array.h"
#include "tests/kernels/random_data.h"

// A whole query as a shard makes it, on the host's clock: select 2048 of 1,048,576 keys, then
// attend to them; runs of pages, which are listed on the device, queries and rows' addresses go up
// and results come down.
namespace winnow::kernels::cuda {
namespace {

constexpr int kPages = 16384;
constexpr int kIndexHeads = 64;
constexpr int kDim = 128;
constexpr int kTopK = 2048;
constexpr int kHeads = 128;
constexpr int kLatent = 512;
constexpr int kRope = 64;
constexpr int kRounds = 30;

double Now() {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void BenchQuery(DeviceApi& device, const Peaks& peaks, Table* out) {
  const size_t page_bytes = KeyPageBytes(KeyFormat::kFp8E4M3, kDim);
  const size_t row_bytes = RowBytes(RowFormat::kFp8FlashMla, kLatent, kRope);
  RandomData random(TestSeed());
  DeviceArray<std::byte> keys(device, RandomPages(kPages, TestSeed()));
  // Positions share rows, so that they need not all be made.
  constexpr int kRowsMade = 65536;
  DeviceArray<std::byte> rows(device,
                              random.Rows(RowFormat::kFp8FlashMla, kLatent, kRope, kRowsMade));
  std::vector<const std::byte*> pages;
  for (uint32_t i = 0; i < kPages; ++i) pages.push_back(keys.data() + i * page_bytes);
  DeviceArray<const std::byte*> table(device, pages);
  const auto queries = random.Queries(KeyFormat::kFp8E4M3, kDim, kIndexHeads);
  const auto weights = random.Floats(kIndexHeads, -1, 1);
  const auto query = random.Bf16(kHeads * (kLatent + kRope));
  const std::vector<uint32_t> visible = {kPages * kPageEntries};
  std::vector<float> outputs(kHeads * kLatent), lse(kHeads);
  std::unique_ptr<CudaBackend> backend;
  Must(CudaBackend::Create(device, {.concurrent_queries = 1}, &backend));
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const double begin = Now();
    std::vector<KeyRun> runs;
    for (uint32_t page = 0; page < kPages; page += kRunPages) {
      runs.push_back({.on_device = table.data() + page,
                      .first_position = page * kPageEntries,
                      .entries = kRunPages * kPageEntries});
    }
    ScoreTopKResult result;
    const ScoreRunsParams params = {
        .query = {KeyFormat::kFp8E4M3, 1, kIndexHeads, kDim, queries.data(), weights.data()},
        .runs = runs,
        .visible_entries = visible,
        .k = kTopK,
        .cancelled = nullptr};
    Must(backend->TryScoreRuns({&params, 1}, {&result, 1}));
    std::vector<const std::byte*> chosen;
    for (const Candidate& c : result.selected[0]) {
      chosen.push_back(rows.data() + c.position % kRowsMade * row_bytes);
    }
    const AttendQuery attend = {query.data(), chosen, outputs.data(), lse.data()};
    Must(backend->TryAttend(
        {RowFormat::kFp8FlashMla, kHeads, kLatent, kRope, 0.0722f, {&attend, 1}}));
    times.push_back(Now() - begin);
  }
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  out->Add({"whole query, host clock", times[kRounds / 2],
            kPages * page_bytes / peaks.read_bytes, "with all copies"});
}

}  // namespace winnow::kernels::cuda
