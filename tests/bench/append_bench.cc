#include <cstring>
#include <string>
#include <vector>

#include "kernels/layout.h"
#include "kernels/read_floor.h"
#include "tests/bench/benches.h"
#include "tests/bench/memory.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

using kernels::KeyFormat;
using kernels::kPageEntries;
using kernels::RowFormat;

constexpr int kDim = 128;
constexpr int kLatentDim = 512;
constexpr int kRopeDim = 64;
constexpr int kEntries = 1 << 16;

// Floor: a copy of the same bytes.
void ArrangeKeys(benchmark::State& state, KeyFormat format) {
  const size_t key_bytes = kernels::KeyBytes(format, kDim);
  const RandomMemory keys(kEntries * key_bytes);
  RandomMemory pages(kEntries * key_bytes);
  const double seconds = MedianSeconds(state, [&] {
    for (size_t first = 0; first < kEntries; first += kPageEntries) {
      kernels::ArrangeKeys(format, kDim, keys.bytes().data() + first * key_bytes, 0, kPageEntries,
                           pages.data() + first * key_bytes);
    }
  });
  const double floor =
      MedianOf(9, [&] { std::memcpy(pages.data(), keys.bytes().data(), kEntries * key_bytes); });
  ReportFloor(state, seconds, floor);
}

// Floor: one read with one thread.
void CheckRowsFinite(benchmark::State& state, RowFormat format) {
  const RandomMemory rows(kEntries * kernels::RowBytes(format, kLatentDim, kRopeDim));
  const double seconds = MedianSeconds(state, [&] {
    benchmark::DoNotOptimize(
        kernels::FirstNonFiniteRow(format, kLatentDim, kRopeDim, rows.bytes()));
  });
  kernels::WorkerPool one_thread(1);
  ReportFloor(state, seconds, kernels::MeasureReadSeconds(rows.bytes(), one_thread));
}

}  // namespace

void RegisterAppendBenches(const Setup&) {
  benchmark::RegisterBenchmark(
      "ArrangeKeys/fp8/65536",
      [](benchmark::State& state) { ArrangeKeys(state, KeyFormat::kFp8E4M3); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark(
      "CheckRowsFinite/fp8/65536",
      [](benchmark::State& state) { CheckRowsFinite(state, RowFormat::kFp8FlashMla); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace winnow::bench
