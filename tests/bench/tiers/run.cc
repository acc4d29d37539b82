#include "tests/bench/tiers/run.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/bench/tiers/phase.h"
#include "tests/bench/tiers/process.h"
#include "tests/bench/tiers/report.h"

namespace winnow::bench {
namespace {

constexpr double kMB = 1e6;
// A context that has not come back further in this time has no more room.
constexpr absl::Duration kRestoreStall = absl::Seconds(2);
constexpr absl::Duration kRestorePoll = absl::Milliseconds(20);

using Rows = std::vector<std::pair<std::string, Figures>>;

void Append(const TierOptions& options, const Profile& profile, ServedContext* context) {
  const uint64_t before = ReadDiskTraffic().written_bytes;
  AppendFigures figures = {.seconds = context->Append(options.entries),
                           .entry_bytes = uint64_t{options.entries} * profile.layers.size() *
                                          (profile.key_bytes() + profile.row_bytes())};
  figures.written_bytes = ReadDiskTraffic().written_bytes - before;
  PrintAppend(figures, context->DiskBytes());
}

// The first finds the index in memory, where it fits.
std::vector<Phase> Phases(const TierOptions& options) {
  const int few = std::max(2, options.steps / 4);
  return {{.name = "each new", .steps = few, .restarts = true, .check_every = options.check_every},
          {.name = "step by step",
           .steps = options.steps,
           .warm_up_steps = 2,
           .changed_codes = options.changed_codes,
           .check_every = options.check_every},
          {.name = "step by step, index spilled before",
           .steps = few,
           .warm_up_steps = 1,
           .changed_codes = options.changed_codes,
           .spill_index = true,
           .check_every = options.check_every}};
}

// Opens the shard anew, asks once, and waits until what has room is in memory again.
Figures Restart(PhaseRunner* runner, ServedContext* context) {
  const absl::Time start = absl::Now();
  const shard::RecoveryReport recovery = context->Restart();
  std::printf("restart: %.0f ms, %.0f of them to recover %llu entries\n",
              absl::ToDoubleMilliseconds(absl::Now() - start),
              absl::ToDoubleMilliseconds(recovery.duration),
              static_cast<unsigned long long>(recovery.entries));
  const absl::Time asked = absl::Now();
  Figures first = runner->Run({.name = "", .steps = 1, .check_every = 1});
  absl::Time grown = asked;
  uint64_t resident = 0;
  while (absl::Now() - grown < kRestoreStall) {
    const shard::ContextState state = context->Describe();
    const uint64_t now = state.resident_index_bytes + state.resident_kv_bytes;
    if (now > resident) grown = absl::Now();
    resident = std::max(resident, now);
    absl::SleepFor(kRestorePoll);
  }
  const double seconds = absl::ToDoubleSeconds(grown - asked);
  std::printf("restored in the background: %.0f MB in %.1f s, while layers were asked at first\n",
              static_cast<double>(resident) / kMB, seconds);
  return first;
}

Rows RunPhases(const TierOptions& options, ServedContext* context, PhaseRunner* runner) {
  Rows rows;
  for (const Phase& phase : Phases(options)) {
    rows.emplace_back(phase.name, runner->Run(phase));
    PrintResidency("after '" + phase.name + "'", context->Describe());
  }
  rows.emplace_back("first after a restart", Restart(runner, context));
  PrintResidency("then", context->Describe());
  return rows;
}

// What needs no disk: layer 0 alone, without a budget.
Figures MeasureHot(const TierOptions& options, shard::Compute& compute, const Oracle& oracle) {
  const PositionalData data(DeepSeekProfile(1));
  ServedContext context(data, compute, /*directory=*/"", /*budget_bytes=*/0);
  context.Append(options.entries);
  return PhaseRunner(context, oracle, data.profile(), options.entries)
      .Run({.name = "all in memory, step by step",
            .steps = 2 * options.steps,
            .warm_up_steps = 2,
            .changed_codes = options.changed_codes,
            .check_every = options.check_every});
}

bool Print(const Rows& rows, const Figures& hot, uint64_t append_peak_bytes,
           uint64_t budget_bytes) {
  uint64_t peak = append_peak_bytes;
  bool exact = hot.inexact == 0 && hot.checked > 0;
  const double hot_seconds = Percentile(hot.seconds, 0.5);
  PrintPhaseHeader();
  PrintPhase("one layer, all in memory", hot, hot_seconds);
  for (const auto& [name, figures] : rows) {
    PrintPhase(name, figures, hot_seconds);
    peak = std::max(peak, figures.peak_bytes);
    exact = exact && figures.inexact == 0 && figures.checked > 0;
  }
  PrintMemory(append_peak_bytes, peak, budget_bytes);
  return exact;
}

}  // namespace

bool RunTiers(const TierOptions& options, const kernels::Backend& backend,
              kernels::WorkerPool& pool) {
  shard::CpuCompute compute(&backend, &pool);
  const PositionalData data(DeepSeekProfile(options.layers));
  const Oracle oracle(data, backend, pool);
  Rows rows;
  uint64_t append_peak_bytes = 0;
  {
    ServedContext context(data, compute, options.directory, options.budget_bytes);
    Append(options, data.profile(), &context);
    append_peak_bytes = PeakResidentBytes();
    PrintResidency("after appending", context.Describe());
    PhaseRunner runner(context, oracle, data.profile(), options.entries);
    rows = RunPhases(options, &context, &runner);
  }
  // Last, so that the memory it takes does not count.
  return Print(rows, MeasureHot(options, compute, oracle), append_peak_bytes, options.budget_bytes);
}

}  // namespace winnow::bench
