#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "storage/page_set.h"
#include "tests/bench/storage/benches.h"
#include "tests/bench/storage/raw_store.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

constexpr size_t kRowBytes = 656;
constexpr size_t kLargeValueBytes = size_t{64} << 10;

// An append's shape and how durable it is.
struct Shape {
  uint32_t entries;  // of each layer
  Durability durability;
  uint64_t bytes;  // to append in all
};

// Seconds to append until so many bytes are stored and all is in files.
double AppendAll(const std::string& directory, const Shape& shape, const StripeBytes& entries,
                 StoreUsage* usage) {
  std::filesystem::remove_all(directory);
  Recovery recovery;
  const auto store = OpenStore({.directory = directory}, &recovery);
  ContextRecord record = BenchContext("bench/append", shape.durability);
  Must(store->AddContext(&record));
  uint32_t stripe = 0;
  uint32_t first = 0;
  const absl::Time start = absl::Now();
  for (uint64_t appended = 0; appended < shape.bytes; appended += entries.bytes()) {
    Must(store->Append(record, stripe, entries.Writes(first)));
    first += shape.entries;
    if (first + shape.entries <= kStripeEntries) continue;
    ++stripe;
    first = 0;
  }
  Must(store->Flush());
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  *usage = store->usage();
  return seconds;
}

// Seconds of a plain RocksDB.
struct Floor {
  double rows = 0;  // values of a row's size
  double best = 0;  // the faster of those and of values of 64 KiB
};

Floor WriteFloor(const std::string& directory, const Shape& shape, uint64_t bytes,
                 uint64_t batch_bytes) {
  RawWrites writes = {.bytes = bytes,
                      .value_bytes = kRowBytes,
                      .batch_bytes = batch_bytes,
                      .synced = shape.durability == Durability::kSynced};
  const double rows = WriteRaw(directory, writes);
  writes.value_bytes = std::min<size_t>(kLargeValueBytes, batch_bytes);
  return {.rows = rows, .best = std::min(rows, WriteRaw(directory, writes))};
}

// Floor: as many bytes written to a plain RocksDB in batches as large. `rows_ratio` is the quotient
// with values of a row's size.
void Append(benchmark::State& state, const std::string& parent, const Shape& shape) {
  const StripeBytes entries(shape.entries);
  const std::string directory = parent + "/append";
  StoreUsage usage;
  std::vector<double> seconds;
  std::vector<double> floors;
  std::vector<double> rows;
  // By turns, so that what disturbs the one disturbs the other.
  for (auto _ : state) {
    seconds.push_back(AppendAll(directory, shape, entries, &usage));
    const Floor floor = WriteFloor(directory, shape, usage.appended_bytes, entries.bytes());
    floors.push_back(floor.best);
    rows.push_back(floor.rows);
    state.SetIterationTime(seconds.back());
  }
  std::filesystem::remove_all(directory);
  const double median = Median(seconds);
  ReportFloor(state, median, Median(floors));
  state.counters["rows_ratio"] = median / Median(rows);
  const auto appended = static_cast<double>(usage.appended_bytes);
  state.counters["MB_per_s"] = appended / median / 1e6;
  state.counters["appends_per_s"] = appended / static_cast<double>(entries.bytes()) / median;
  state.counters["written_per_appended"] = static_cast<double>(usage.written_bytes) / appended;
  state.counters["disk_per_appended"] = static_cast<double>(usage.disk_bytes) / appended;
}

}  // namespace

void RegisterWriteBenches(const WriteSetup& setup) {
  // A synced append waits for the disk, so that fewer of them tell enough.
  const std::pair<const char*, Shape> shapes[] = {
      {"Append/4096/logged", {4096, Durability::kLogged, setup.bytes}},
      {"Append/64/logged", {64, Durability::kLogged, setup.bytes / 2}},
      {"Append/1/logged", {1, Durability::kLogged, setup.bytes / 8}},
      {"Append/4096/synced", {4096, Durability::kSynced, setup.bytes / 2}},
      {"Append/1/synced", {1, Durability::kSynced, setup.bytes / 512}}};
  for (const auto& [name, shape] : shapes) {
    benchmark::RegisterBenchmark(
        name, [directory = setup.directory,
               shape = shape](benchmark::State& state) { Append(state, directory, shape); })
        ->UseManualTime()
        ->Iterations(3)
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace winnow::bench
