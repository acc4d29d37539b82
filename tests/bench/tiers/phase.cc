#include "tests/bench/tiers/phase.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "tests/bench/tiers/process.h"

namespace winnow::bench {
namespace {

std::vector<uint32_t> SortedPositions(const std::vector<kernels::Candidate>& selected) {
  std::vector<uint32_t> positions;
  for (const kernels::Candidate& candidate : selected) positions.push_back(candidate.position);
  std::sort(positions.begin(), positions.end());
  return positions;
}

uint64_t CountCommon(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  std::vector<uint32_t> common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  return common.size();
}

void Add(const Answer& answer, Figures* figures) {
  figures->select_seconds.push_back(answer.select_seconds);
  figures->attend_seconds.push_back(answer.attend_seconds);
  figures->seconds.push_back(answer.select_seconds + answer.attend_seconds);
  figures->winners += answer.selected.size();
  figures->cold_rows += answer.cold_rows;
  figures->cached_rows += answer.cached_rows;
  figures->index_bytes += answer.index_bytes;
  figures->cold_index_bytes += answer.cold_index_bytes;
}

}  // namespace

PhaseRunner::PhaseRunner(ServedContext& context, const Oracle& oracle, const Profile& profile,
                         uint32_t entries)
    : context_(context), oracle_(oracle), entries_(entries), positions_(profile.layers.size()) {
  for (size_t layer = 0; layer < profile.layers.size(); ++layer) {
    walks_.emplace_back(profile, 1000 + layer);
  }
}

Figures PhaseRunner::Run(const Phase& phase) {
  Figures figures;
  Figures ignored;
  // The first query of each phase is checked.
  asked_ = 0;
  ResetPeakMemory();
  const ProcessorTime before = ReadProcessorTime();
  for (int step = -phase.warm_up_steps; step < phase.steps; ++step) {
    for (size_t layer = 0; layer < walks_.size(); ++layer) {
      Ask(phase, static_cast<int>(layer), step < 0 ? &ignored : &figures);
    }
  }
  figures.checked += ignored.checked;
  figures.inexact += ignored.inexact;
  figures.peak_bytes = PeakResidentBytes();
  const ProcessorTime after = ReadProcessorTime();
  figures.others_share =
      1 - (after.own_seconds - before.own_seconds) / (after.busy_seconds - before.busy_seconds);
  return figures;
}

void PhaseRunner::Ask(const Phase& phase, int layer, Figures* figures) {
  QueryWalk& walk = walks_[layer];
  if (phase.restarts) walk.Restart();
  walk.Step(phase.changed_codes);
  if (phase.spill_index) context_.Spill(/*index=*/true, /*kv=*/false);
  const Answer answer = context_.Ask(walk, layer);
  Add(answer, figures);
  std::vector<uint32_t> positions = SortedPositions(answer.selected);
  figures->repeated_winners += CountCommon(positions_[layer], positions);
  positions_[layer] = std::move(positions);
  if (phase.check_every == 0 || asked_++ % phase.check_every != 0) return;
  ++figures->checked;
  if (!IsExact(answer, layer)) ++figures->inexact;
}

bool PhaseRunner::IsExact(const Answer& answer, int layer) {
  const Oracle::Candidates expected = oracle_.Selected(walks_[layer], layer, entries_);
  const std::vector<std::byte> rows = oracle_.Rows(expected, layer);
  const bool same_set = answer.selected == expected;
  const bool same_rows = context_.Gather(answer, layer) == rows;
  const bool same_outputs = answer.outputs == oracle_.Attended(walks_[layer], rows);
  if (same_set && same_rows && same_outputs) return true;
  std::fprintf(stderr, "bench_tiers: layer %d, selection %llu: wrong%s%s%s\n", layer,
               static_cast<unsigned long long>(answer.selection_id),
               same_set ? "" : " selected set", same_rows ? "" : " rows",
               same_outputs ? "" : " outputs");
  return false;
}

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<ptrdiff_t>(share * (values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace winnow::bench
