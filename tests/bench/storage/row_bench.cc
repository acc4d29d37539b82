#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/storage/benches.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

constexpr size_t kRowBytes = 656;
constexpr size_t kNoCacheBytes = 1;
constexpr size_t kRowCacheBytes = size_t{64} << 20;
// Threads beside the store's own number, in search of the disk's best.
constexpr int kOtherThreads[] = {16, 64};

uint64_t Fetch(EntryStore& store, const std::vector<RowRef>& rows) {
  return Must(store.FetchRows(rows, kRowBytes, absl::InfiniteFuture())).cache_hits();
}

// Floor: as many random reads of 4 KiB by as many threads.
void ColdRows(benchmark::State& state, const ReadSetup& setup, int count) {
  setup.store.Reopen(kNoCacheBytes);
  const int threads = setup.store.reader_threads();
  SplitMix random(count);
  std::vector<RowRef> rows(count);
  const double seconds = MedianSeconds(state, [&] {
    for (RowRef& row : rows) row = setup.store.RandomRow(random);
    Fetch(setup.store.store(), rows);
  });
  const double floor = setup.file.ReadRandom(count, threads);
  double best = floor;
  for (const int other : kOtherThreads) {
    best = std::min(best, setup.file.ReadRandom(count, other));
  }
  ReportFloor(state, seconds, floor);
  state.counters["best_threads_ratio"] = seconds / best;
  state.counters["rows_per_s"] = count / seconds;
}

// Nine rows of ten as in the iteration before. Floor: random reads of the tenth.
void RepeatedRows(benchmark::State& state, const ReadSetup& setup, int count) {
  setup.store.Reopen(kRowCacheBytes);
  SplitMix random(count);
  std::vector<RowRef> rows(count);
  for (RowRef& row : rows) row = setup.store.RandomRow(random);
  Fetch(setup.store.store(), rows);
  uint64_t hits = 0;
  uint64_t fetched = 0;
  size_t next = 0;
  const double seconds = MedianSeconds(state, [&] {
    for (int i = 0; i < count / 10; ++i) {
      rows[next++ % rows.size()] = setup.store.RandomRow(random);
    }
    hits += Fetch(setup.store.store(), rows);
    fetched += rows.size();
  });
  ReportFloor(state, seconds, setup.file.ReadRandom(count / 10, setup.store.reader_threads()));
  state.counters["hit_share"] = static_cast<double>(hits) / static_cast<double>(fetched);
}

}  // namespace

void RegisterRowBenches(const ReadSetup& setup) {
  for (const int count : {16, 2048}) {
    benchmark::RegisterBenchmark(
        ("ColdRows/" + std::to_string(count)).c_str(),
        [setup, count](benchmark::State& state) { ColdRows(state, setup, count); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark(
      "RepeatedRows/2048", [setup](benchmark::State& state) { RepeatedRows(state, setup, 2048); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace winnow::bench
