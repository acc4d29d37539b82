#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "kernels/worker_pool.h"
#include "services/shard/cold_scan.h"
#include "storage/stripe.h"
#include "tests/bench/storage/benches.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

constexpr size_t kRowCacheBytes = size_t{1} << 20;
constexpr int kStripesAtOnce = 8;
// As many as ColdScan has.
constexpr int kScanThreads = 4;

void ReportRate(benchmark::State& state, uint64_t bytes, double seconds, double floor) {
  ReportFloor(state, seconds, floor);
  state.counters["MB_per_s"] = static_cast<double>(bytes) / seconds / 1e6;
}

// What the store gives of a stripe, all layers and both planes.
void ReadStripe(FilledStore& filled, size_t stripe, std::byte* to) {
  const Profile& profile = filled.record().profile;
  for (int layer = 0; layer < kBenchLayers; ++layer) {
    const StoredRange range = filled.Range(stripe, layer);
    Must(filled.store().ReadKeys(range, profile.key_bytes(), absl::InfiniteFuture(), to));
    Must(filled.store().ReadRows(range, profile.row_bytes(), absl::InfiniteFuture(), to));
  }
}

// Floor: as many bytes read in order by as many threads.
void ReadStripes(benchmark::State& state, const ReadSetup& setup, int threads) {
  FilledStore& filled = setup.store;
  filled.Reopen(kRowCacheBytes);
  kernels::WorkerPool pool(threads);
  std::vector<std::vector<std::byte>> to(threads);
  for (auto& bytes : to) bytes.resize(kStripeEntries * filled.record().profile.row_bytes());
  size_t next = 0;
  const double seconds = MedianSeconds(state, [&] {
    pool.ParallelFor(kStripesAtOnce, [&](int task, int worker) {
      ReadStripe(filled, (next + task) % filled.stripes().size(), to[worker].data());
    });
    next += kStripesAtOnce;
  });
  const uint64_t bytes = kStripesAtOnce * filled.stripe_bytes();
  ReportRate(state, bytes, seconds, setup.file.ReadInOrder(bytes, threads));
}

// As ReadStripes, and into pages: keys are arranged, and pages get checksums.
void RestoreStripes(benchmark::State& state, const ReadSetup& setup, int threads) {
  FilledStore& filled = setup.store;
  filled.Reopen(kRowCacheBytes);
  PageArena arena(0);
  const auto storage =
      std::make_shared<ContextStorage>(ContextStorage{.profile = DeepSeekProfile(kBenchLayers),
                                                      .arena = &arena,
                                                      .store = &filled.store(),
                                                      .record = filled.record()});
  kernels::WorkerPool pool(threads);
  size_t next = 0;
  const double seconds = MedianSeconds(state, [&] {
    pool.ParallelFor(kStripesAtOnce, [&](int task, int) {
      Stripe stripe(storage, filled.stripes()[(next + task) % filled.stripes().size()]);
      for (int layer = 0; layer < kBenchLayers; ++layer) {
        Must(stripe.Restore(layer, Plane::kIndex, absl::InfiniteFuture()));
        Must(stripe.Restore(layer, Plane::kKv, absl::InfiniteFuture()));
      }
    });
    next += kStripesAtOnce;
  });
  const uint64_t bytes = kStripesAtOnce * filled.stripe_bytes();
  ReportRate(state, bytes, seconds, setup.file.ReadInOrder(bytes, threads));
}

// The index keys of one layer after the other, as a query that finds them cold reads them. Floor:
// as many bytes read in order by as many threads.
void ColdScan(benchmark::State& state, const ReadSetup& setup) {
  FilledStore& filled = setup.store;
  filled.Reopen(kRowCacheBytes);
  const Profile& profile = filled.record().profile;
  int layer = 0;
  const double seconds = MedianSeconds(state, [&] {
    std::vector<StoredRange> ranges;
    for (size_t i = 0; i < filled.stripes().size(); ++i) ranges.push_back(filled.Range(i, layer));
    layer = (layer + 1) % kBenchLayers;
    shard::ColdScan scan(profile, &filled.store(), std::move(ranges), absl::InfiniteFuture());
    while (!Must(scan.Next()).empty()) continue;
  });
  const uint64_t bytes = filled.stripes().size() * kStripeEntries * profile.key_bytes();
  ReportRate(state, bytes, seconds, setup.file.ReadInOrder(bytes, kScanThreads));
}

using Bench = void (*)(benchmark::State&, const ReadSetup&, int);

}  // namespace

void RegisterStripeBenches(const ReadSetup& setup) {
  for (const auto& [name, bench] :
       {std::pair<std::string, Bench>{"ReadStripes", ReadStripes},
        std::pair<std::string, Bench>{"RestoreStripes", RestoreStripes}}) {
    for (const int threads : {1, 2, 4}) {
      benchmark::RegisterBenchmark((name + "/threads:" + std::to_string(threads)).c_str(),
                                   [setup, bench = bench, threads](benchmark::State& state) {
                                     bench(state, setup, threads);
                                   })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  benchmark::RegisterBenchmark("ColdScan/threads:4",
                               [setup](benchmark::State& state) { ColdScan(state, setup); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace winnow::bench
