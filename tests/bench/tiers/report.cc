#include "tests/bench/tiers/report.h"

#include <cstdio>

namespace winnow::bench {
namespace {

constexpr double kMB = 1e6;
constexpr double kMs = 1e3;
// What a shard's process may take beyond its budget.
constexpr double kMemorySlack = 1.15;

double Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void PrintAppend(const AppendFigures& figures, uint64_t disk_bytes) {
  const auto bytes = static_cast<double>(figures.entry_bytes);
  std::printf(
      "append: %.0f MB in %.1f s, %.0f MB/s; the process wrote %.0f MB, %.2f of that; "
      "%.0f MB on disk, %.2f of that\n",
      bytes / kMB, figures.seconds, bytes / figures.seconds / kMB,
      static_cast<double>(figures.written_bytes) / kMB,
      static_cast<double>(figures.written_bytes) / bytes, static_cast<double>(disk_bytes) / kMB,
      static_cast<double>(disk_bytes) / bytes);
}

void PrintResidency(const std::string& when, const shard::ContextState& state) {
  std::printf(
      "%s: in memory %.0f of %.0f MB of index keys (%.1f %%), %.0f of %.0f MB of KV rows "
      "(%.1f %%)\n",
      when.c_str(), static_cast<double>(state.resident_index_bytes) / kMB,
      static_cast<double>(state.index_bytes) / kMB,
      Percent(state.resident_index_bytes, state.index_bytes),
      static_cast<double>(state.resident_kv_bytes) / kMB, static_cast<double>(state.kv_bytes) / kMB,
      Percent(state.resident_kv_bytes, state.kv_bytes));
}

void PrintPhaseHeader() {
  std::printf(
      "\n%-34s %5s | %17s | %17s | %17s | %6s | %8s %7s %7s %7s | %9s | %7s | %s\n"
      "%-34s %5s | %17s | %17s | %17s | %6s | %8s %7s %7s %7s | %9s | %7s | %s\n",
      "queries", "", "Select ms", "Attend part ms", "both ms", "p50 of", "repeated", "cold",
      "cached", "cold", "inexact", "peak", "others", "", "n", "p50 / p90", "p50 / p90", "p50 / p90",
      "hot", "winners", "rows", "of cold", "index", "/ checked", "MB", "CPU");
}

void PrintPhase(const std::string& name, const Figures& figures, double hot_seconds) {
  std::printf("%-34s %5zu |", name.c_str(), figures.seconds.size());
  for (const auto* seconds : {&figures.select_seconds, &figures.attend_seconds, &figures.seconds}) {
    std::printf(" %7.2f / %7.2f |", Percentile(*seconds, 0.5) * kMs,
                Percentile(*seconds, 0.9) * kMs);
  }
  const double ratio = hot_seconds == 0 ? 0 : Percentile(figures.seconds, 0.5) / hot_seconds;
  std::printf(
      " %6.2f | %6.1f %% %5.1f %% %5.1f %% %5.1f %% | %3d / %3d | %7.0f | %4.0f %%\n", ratio,
      Percent(figures.repeated_winners, figures.winners),
      Percent(figures.cold_rows, figures.winners), Percent(figures.cached_rows, figures.cold_rows),
      Percent(figures.cold_index_bytes, figures.index_bytes), figures.inexact, figures.checked,
      static_cast<double>(figures.peak_bytes) / kMB, 100 * figures.others_share);
}

void PrintMemory(uint64_t append_peak_bytes, uint64_t peak_bytes, uint64_t budget_bytes) {
  const auto peak = static_cast<double>(peak_bytes);
  std::printf("\nprocess in memory: at most %.0f MB, %.0f MB while appending", peak / kMB,
              static_cast<double>(append_peak_bytes) / kMB);
  if (budget_bytes != 0) {
    const auto budget = static_cast<double>(budget_bytes);
    std::printf("; %.2f of the budget of %.0f MB, %s %.2f", peak / budget, budget / kMB,
                peak <= kMemorySlack * budget ? "within" : "BEYOND", kMemorySlack);
  }
  std::printf("\n");
}

}  // namespace winnow::bench
