#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/bench/benches.h"
#include "tests/bench/memory.h"
#include "tests/bench/peak.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

using kernels::RowFormat;

// The attention of DeepSeek-V3.2.
constexpr int kHeads = 128;
constexpr int kLatentDim = 512;
constexpr int kRopeDim = 64;
constexpr int kRows = 2048;
// Rows to choose from, far more than fit into a cache.
constexpr int kHeldRows = 1 << 18;
// Selections that take turns, so that none finds its rows in a cache.
constexpr int kSelections = 32;

using RowPointers = std::vector<const std::byte*>;

std::vector<RowPointers> ChooseRows(const RandomMemory& memory, size_t row_bytes) {
  std::mt19937 random(1);
  std::vector<RowPointers> selections(kSelections);
  for (RowPointers& rows : selections) {
    for (int i = 0; i < kRows; ++i) {
      rows.push_back(memory.bytes().data() + random() % kHeldRows * row_bytes);
    }
  }
  return selections;
}

// Seconds to read the rows of a selection, each thread its share.
double GatherSeconds(const std::vector<RowPointers>& selections, size_t row_bytes,
                     kernels::WorkerPool& pool) {
  constexpr int kShare = 64;
  std::atomic<uint64_t> sink = 0;  // keeps the reads from being optimised away
  int turn = 0;
  return MedianOf(kSelections, [&] {
    const RowPointers& rows = selections[turn++ % kSelections];
    pool.ParallelFor(kRows / kShare, [&](int share, int) {
      uint64_t sum = 0;
      for (int i = share * kShare; i < (share + 1) * kShare; ++i) {
        for (size_t at = 0; at < row_bytes; at += sizeof sum) {
          uint64_t word;
          std::memcpy(&word, rows[i] + at, sizeof word);
          sum ^= word;
        }
      }
      sink ^= sum;
    });
  });
}

void SparseAttention(benchmark::State& state, const Setup& setup, RowFormat format) {
  const size_t row_bytes = kernels::RowBytes(format, kLatentDim, kRopeDim);
  const RandomMemory memory(kHeldRows * row_bytes);
  const std::vector<RowPointers> selections = ChooseRows(memory, row_bytes);
  const RandomMemory queries(size_t{2} * kHeads * (kLatentDim + kRopeDim));
  std::vector<float> outputs(kHeads * kLatentDim), lse(kHeads);
  int turn = 0;
  const double seconds = MedianSeconds(state, [&] {
    setup.backend.SparseAttention({.format = format,
                                   .heads = kHeads,
                                   .latent_dim = kLatentDim,
                                   .rope_dim = kRopeDim,
                                   .softmax_scale = 0.05f,
                                   .queries = queries.bytes().data(),
                                   .rows = selections[turn++ % kSelections].data(),
                                   .row_count = kRows,
                                   .outputs = outputs.data(),
                                   .lse = lse.data()},
                                  setup.pool);
  });
  const double gather_seconds = GatherSeconds(selections, row_bytes, setup.pool);
  const Peak peak = MeasurePeak(Operand::kBf16, setup.pool);
  const double multiply_adds = double{kRows} * kHeads * (2 * kLatentDim + kRopeDim);
  const double compute_seconds = multiply_adds / peak.multiply_adds_per_second;
  ReportFloor(state, seconds, std::max(gather_seconds, compute_seconds));
  state.counters["gather_GB/s"] = static_cast<double>(kRows * row_bytes) / gather_seconds / 1e9;
  state.counters["peak_GMAC/s"] = peak.multiply_adds_per_second / 1e9;
  state.SetLabel(peak.unit);
}

}  // namespace

void RegisterAttentionBenches(const Setup& setup) {
  const auto add = [&setup](const char* name, RowFormat format) {
    benchmark::RegisterBenchmark(
        name, [&setup, format](benchmark::State& state) { SparseAttention(state, setup, format); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  add("SparseAttention/bf16/2048", RowFormat::kBf16);
  add("SparseAttention/fp8/2048", RowFormat::kFp8FlashMla);
}

}  // namespace winnow::bench
