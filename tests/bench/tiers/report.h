#ifndef WINNOW_TESTS_BENCH_TIERS_REPORT_H_
#define WINNOW_TESTS_BENCH_TIERS_REPORT_H_

#include <cstdint>
#include <string>

#include "services/shard/messages.h"
#include "tests/bench/tiers/phase.h"

namespace winnow::bench {

struct AppendFigures {
  double seconds = 0;  // that the shard took
  uint64_t entry_bytes = 0;
  uint64_t written_bytes = 0;  // to disk, by the whole process
};

void PrintAppend(const AppendFigures& figures, uint64_t disk_bytes);
void PrintResidency(const std::string& when, const shard::ContextState& state);

void PrintPhaseHeader();
// hot_seconds: median of an Attend with all in memory; 0 if it is not known.
void PrintPhase(const std::string& name, const Figures& figures, double hot_seconds);

// The most that the process had in memory, while appending and ever, beside the budget.
void PrintMemory(uint64_t append_peak_bytes, uint64_t peak_bytes, uint64_t budget_bytes);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIERS_REPORT_H_
