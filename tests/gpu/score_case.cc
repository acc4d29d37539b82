#include "tests/gpu/score_case.h"

#include <algorithm>
#include <deque>

namespace winnow::kernels::cuda {
namespace {

// The arranged pages one after another, page_entries entries in each.
std::vector<std::byte> Arrange(const ScoreCase& c, int page_entries) {
  const size_t page_bytes = KeyPageBytes(c.format, c.dim);
  const size_t pages = (c.entries() + page_entries - 1) / page_entries;
  // What a page does not hold may be anything: here NaN where there is such a thing.
  std::vector<std::byte> arranged(pages * page_bytes, std::byte{0xff});
  for (size_t i = 0; i < pages; ++i) {
    const size_t first = i * page_entries;
    ArrangeKeys(c.format, c.dim, &c.keys[first * KeyBytes(c.format, c.dim)], 0,
                static_cast<int>(std::min<size_t>(page_entries, c.entries() - first)),
                &arranged[i * page_bytes]);
  }
  return arranged;
}

std::vector<const std::byte*> Addresses(const ScoreCase& c, const std::byte* arranged,
                                        int page_entries) {
  std::vector<const std::byte*> addresses;
  for (size_t first = 0; first < c.entries(); first += page_entries) {
    addresses.push_back(arranged + addresses.size() * KeyPageBytes(c.format, c.dim));
  }
  return addresses;
}

}  // namespace

PlacedCase::PlacedCase(DeviceApi& device, const ScoreCase& placed, int page_entries)
    : c(placed),
      memory(device, Arrange(c, page_entries)),
      addresses(Addresses(c, memory.data(), page_entries)),
      table(device, addresses) {
  const auto entries = static_cast<uint32_t>(c.entries());
  const auto step = static_cast<uint32_t>(page_entries);
  const bool full = step == kPageEntries;
  const uint32_t pages = full ? kRunPages : 1;
  for (uint32_t i = 0; i < addresses.size(); i += pages) {
    runs.push_back({.on_device = full ? table.data() + i : nullptr,
                    .on_host = addresses.data() + i,
                    .first_position = i * step,
                    .entries = std::min(pages * step, entries - i * step)});
  }
}

ScoreRunsParams PlacedCase::RunParams(const std::vector<KeyRun>& these,
                                      const std::atomic<bool>* cancelled) const {
  return {.query = {c.format, c.rows, c.heads, c.dim, c.queries.data(), c.weights.data()},
          .runs = these,
          .visible_entries = c.visible,
          .k = c.k,
          .cancelled = cancelled};
}

Selection Evaluate(DeviceApi& device, const CudaBackend& backend, const ScoreCase& c,
                   int page_entries) {
  const PlacedCase placed(device, c, page_entries);
  const ScoreRunsParams params = placed.run_params();
  ScoreTopKResult result;
  Must(backend.TryScoreRuns({&params, 1}, {&result, 1}));
  Must(result.complete ? "" : "a selection is not complete");
  return result.selected;
}

Error DisagreementTogether(DeviceApi& device, const CudaBackend& backend,
                           const std::vector<ScoreCase>& cases) {
  std::deque<PlacedCase> placed;
  std::vector<ScoreRunsParams> queries;
  for (const ScoreCase& c : cases) {
    queries.push_back(placed.emplace_back(device, c).run_params());
  }
  std::vector<ScoreTopKResult> results(cases.size());
  Must(backend.TryScoreRuns(queries, results));
  for (size_t i = 0; i < cases.size(); ++i) {
    if (!results[i].complete) return "case " + std::to_string(i) + " is not complete";
    const Error error = Disagreement(cases[i], results[i].selected);
    if (!error.empty()) return "case " + std::to_string(i) + ": " + error;
  }
  return "";
}

}  // namespace winnow::kernels::cuda
