#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/coordinator/coordinator_impl.h"
#include "services/coordinator/stopwatch.h"
#include "services/coordinator/validate.h"

namespace winnow::coordinator {
namespace {

uint64_t RandomSelectionId() {
  thread_local absl::BitGen random;
  return absl::Uniform<uint64_t>(absl::IntervalClosed, random, 1, UINT64_MAX);
}

std::vector<shard::Call> SelectCalls(const ContextRoute& route, uint32_t layer,
                                     const IndexQuery& query, uint32_t top_k, uint64_t selection_id,
                                     std::vector<std::vector<uint32_t>> stripes) {
  std::vector<shard::Call> calls;
  for (size_t i = 0; i < stripes.size(); ++i) {
    calls.push_back(shard::Select{
        .context_id = route.shard_id,
        .incarnation = route.incarnations[i],
        .layer = layer,
        .queries = query.queries,
        .weights = query.weights,
        .visible_entries = {query.visible_entries.begin(), query.visible_entries.end()},
        .top_k = top_k,
        .stripes = std::move(stripes[i]),
        .selection_id = selection_id});
  }
  return calls;
}

void AddUp(Channels channels, const IndexQuery& query,
           const std::vector<shard::SelectResult>& results, CallStats* stats) {
  for (size_t i = 0; i < results.size(); ++i) {
    const shard::SelectResult& result = results[i];
    stats->entries_scanned += result.entries_scanned;
    stats->index_bytes_read += result.index_bytes_read;
    stats->cold_index_bytes += result.cold_index_bytes;
    stats->score_us = std::max(stats->score_us, result.score_us);
    stats->score_us_sum += result.score_us;
    if (channels[i]->in_process()) continue;
    stats->bytes_moved += query.queries.size() + query.weights.size();
    for (const auto& row : result.candidates) stats->bytes_moved += row.size() * sizeof row[0];
  }
}

}  // namespace

absl::Status Coordinator::Impl::ExplainMissing(const ContextRoute& route, uint32_t layer,
                                               const IndexQuery& query, absl::Status missing,
                                               absl::Time deadline) {
  absl::StatusOr<std::vector<shard::ContextState>> states = DescribeAll(route, deadline);
  if (!states.ok()) return states.status();
  uint64_t end = 0;
  for (const shard::ContextState& state : *states) end = std::max(end, state.layer_ends[layer]);
  const uint64_t visible =
      *std::max_element(query.visible_entries.begin(), query.visible_entries.end());
  if (visible <= end) return missing;
  return Error(
      absl::StatusCode::kOutOfRange, "VISIBLE_OUT_OF_RANGE",
      absl::StrCat("visible_entries is ", visible, " but layer ", layer, " has ", end, " entries"),
      {{"end", absl::StrCat(end)}});
}

absl::StatusOr<MergedSelection> Coordinator::Impl::MakeSelection(const ContextRoute& route,
                                                                 uint32_t layer,
                                                                 const IndexQuery& query,
                                                                 absl::Time deadline,
                                                                 CallStats* stats) {
  absl::StatusOr<MergedSelection> selection = ScanOnce(route, layer, query, deadline, stats);
  if (ErrorReason(selection.status()) != "MISSING_STRIPES") return selection;
  const absl::Status missing = ExplainMissing(route, layer, query, selection.status(), deadline);
  if (!absl::IsDataLoss(missing)) return missing;
  // The layer's end is far enough by now: what was missing may have been appended meanwhile.
  selection = ScanOnce(route, layer, query, deadline, stats);
  return ErrorReason(selection.status()) == "MISSING_STRIPES" ? missing : std::move(selection);
}

absl::StatusOr<MergedSelection> Coordinator::Impl::ScanOnce(const ContextRoute& route,
                                                            uint32_t layer, const IndexQuery& query,
                                                            absl::Time deadline, CallStats* stats) {
  Stopwatch watch;
  if (absl::Status status = ValidateIndexQuery(*route.profile, layer, query); !status.ok()) {
    return status;
  }
  MergedSelection selection{
      .id = RandomSelectionId(),
      .top_k = query.top_k == 0 ? static_cast<uint32_t>(route.profile->top_k) : query.top_k};
  const uint64_t visible =
      *std::max_element(query.visible_entries.begin(), query.visible_entries.end());
  const std::vector<std::vector<uint32_t>> stripes = PlanScan(map_, route.placement_key, visible);
  const std::vector<shard::Call> calls =
      SelectCalls(route, layer, query, selection.top_k, selection.id, stripes);
  stats->shards = shards();
  stats->plan_us += watch.Lap();
  absl::StatusOr<std::vector<shard::SelectResult>> results =
      ResultsOf<shard::SelectResult>(CallAll(channels_, calls, deadline));
  stats->select_us += watch.Lap();
  if (!results.ok()) return results.status();
  const std::vector<uint32_t> visible_rows(query.visible_entries.begin(),
                                           query.visible_entries.end());
  if (absl::Status status = CheckCandidates(*results, stripes, visible_rows, selection.top_k);
      !status.ok()) {
    return status;
  }
  AddUp(channels_, query, *results, stats);
  selection.rows = MergeRows(*results, selection.top_k);
  selection.thresholds = Thresholds(selection.rows);
  selection.winners = CountWinners(*results, selection.thresholds);
  stats->merge_us += watch.Lap();
  return selection;
}

absl::StatusOr<SelectReply> Coordinator::Impl::Select(const Query& query, absl::Time deadline) {
  Stopwatch whole;
  return WithRoute(
      query.context, deadline, [&](const ContextRoute& route) -> absl::StatusOr<SelectReply> {
        SelectReply reply;
        absl::StatusOr<MergedSelection> selection = MakeSelection(
            route, query.layer, std::get<IndexQuery>(query.source), deadline, &reply.stats);
        if (!selection.ok()) return selection.status();
        // Fixes the winners, so that later calls can attend over them.
        auto fixed = AskWinners(route, query.layer, *selection, AttendPath::kAuto, {},
                                /*return_positions=*/false, deadline, &reply.stats);
        if (!fixed.ok()) return fixed.status();
        reply.selection = {.selection_id = selection->id,
                           .top_k = selection->top_k,
                           .rows = std::move(selection->rows)};
        reply.stats.total_us = whole.Lap();
        return reply;
      });
}

}  // namespace winnow::coordinator
