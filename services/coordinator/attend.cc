#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/coordinator/coordinator_impl.h"
#include "services/coordinator/stopwatch.h"
#include "services/coordinator/validate.h"
#include "services/coordinator/winners.h"
#include "services/shard/gather_limit.h"

namespace winnow::coordinator {
namespace {

uint32_t WidestRow(const CandidateRows& rows) {
  size_t widest = 0;
  for (const auto& row : rows) widest = std::max(widest, row.size());
  return static_cast<uint32_t>(widest);
}

uint64_t CountCandidates(const CandidateRows& rows) {
  uint64_t count = 0;
  for (const auto& row : rows) count += row.size();
  return count;
}

uint64_t CountRows(const std::vector<shard::AttendResult>& results) {
  uint64_t count = 0;
  for (const shard::AttendResult& result : results) count += CountCandidates(result.winners);
  return count;
}

// Of a gather by a new selection; how large an earlier one is only the shards know.
absl::Status CheckSize(const Profile& profile, const Query& query) {
  const auto* source = std::get_if<IndexQuery>(&query.source);
  if (source == nullptr) return absl::OkStatus();
  // What is past these limits is refused as that.
  const auto most = static_cast<uint64_t>(profile.top_k);
  const uint64_t top_k = source->top_k == 0 ? most : std::min<uint64_t>(source->top_k, most);
  const auto rows =
      std::min<uint64_t>(source->visible_entries.size(), uint64_t{kernels::kMaxQueryRows});
  return shard::CheckGatherBytes(top_k * rows, profile.row_bytes());
}

void ApplySink(const Profile& profile, std::span<const std::byte> sink_bytes, AttendReply* reply) {
  std::vector<float> sink(sink_bytes.size() / sizeof(float));
  std::memcpy(sink.data(), sink_bytes.data(), sink_bytes.size());
  for (size_t row = 0; row < reply->query_rows; ++row) {
    const size_t head = row * profile.query_heads;
    kernels::ApplyAttentionSink(sink.data(), &reply->lse[head], profile.query_heads,
                                profile.latent_dim, &reply->outputs[head * profile.latent_dim]);
  }
}

uint64_t TensorBytes(const shard::AttendResult& result) {
  uint64_t bytes =
      result.kv_rows.size() + (result.outputs.size() + result.lse.size()) * sizeof(float);
  for (const auto& row : result.winners) bytes += row.size() * sizeof(kernels::Candidate);
  return bytes;
}

}  // namespace

absl::StatusOr<MergedSelection> Coordinator::Impl::ResolveSource(const ContextRoute& route,
                                                                 const Query& query,
                                                                 absl::Time deadline,
                                                                 CallStats* stats) {
  if (const auto* index_query = std::get_if<IndexQuery>(&query.source)) {
    return MakeSelection(route, query.layer, *index_query, deadline, stats);
  }
  if (absl::Status status = ValidateStoredLayer(*route.profile, query.layer); !status.ok()) {
    return status;
  }
  stats->shards = shards();
  return MergedSelection{.id = std::get<uint64_t>(query.source)};
}

absl::StatusOr<std::vector<shard::AttendResult>> Coordinator::Impl::AskWinners(
    const ContextRoute& route, uint32_t layer, const MergedSelection& selection, AttendPath path,
    std::span<const std::byte> queries, bool return_positions, absl::Time deadline,
    CallStats* stats) {
  Stopwatch watch;
  const bool gathers = path == AttendPath::kGather;
  // Of an earlier selection only the shards know the winners, and each checks its own.
  const auto check_size = [&](uint64_t rows) {
    return gathers ? shard::CheckGatherBytes(rows, route.profile->row_bytes()) : absl::OkStatus();
  };
  if (absl::Status status = check_size(CountCandidates(selection.rows)); !status.ok()) {
    return status;
  }
  const shard::Attend call = {
      .selection_id = selection.id,
      .context_id = route.shard_id,
      .layer = layer,
      .thresholds = selection.thresholds,
      .path = path,
      .queries = path == AttendPath::kPushDown ? queries : std::span<const std::byte>(),
      .return_positions = return_positions};
  absl::StatusOr<std::vector<shard::AttendResult>> results = ResultsOf<shard::AttendResult>(
      CallAll(channels_, ToParts(call, route.incarnations), deadline));
  stats->fetch_us += watch.Lap();
  if (!results.ok()) return results.status();
  if (absl::Status status = CheckShapes(*route.profile, *results, path, return_positions);
      !status.ok()) {
    return status;
  }
  if (!selection.thresholds.empty()) {
    if (absl::Status status = CheckWinners(*results, selection.winners); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = check_size(CountRows(*results)); !status.ok()) return status;
  if (gathers && !selection.rows.empty() && MergeWinners(*results) != selection.rows) {
    return Error(absl::StatusCode::kInternal, "BAD_REPLY",
                 "the shards sent rows of other entries than were chosen");
  }
  for (size_t i = 0; i < results->size(); ++i) {
    const shard::AttendResult& result = (*results)[i];
    stats->shard_attend_us = std::max(stats->shard_attend_us, result.attend_us);
    stats->cold_rows += result.cold_rows;
    stats->cached_rows += result.cached_rows;
    if (channels_[i]->in_process()) continue;
    stats->bytes_moved += TensorBytes(result) + call.queries.size() +
                          selection.thresholds.size() * sizeof(kernels::Candidate);
  }
  return results;
}

absl::StatusOr<GatherReply> Coordinator::Impl::Gather(const Query& query, absl::Time deadline) {
  return WithRoute(query.context, deadline,
                   [&](const ContextRoute& route) { return GatherFrom(route, query, deadline); });
}

absl::StatusOr<GatherReply> Coordinator::Impl::GatherFrom(const ContextRoute& route,
                                                          const Query& query, absl::Time deadline) {
  Stopwatch whole;
  // Before the shards are asked for what could not be sent.
  if (absl::Status status = CheckSize(*route.profile, query); !status.ok()) return status;
  GatherReply reply{.row_bytes = route.profile->row_bytes()};
  reply.stats.path = AttendPath::kGather;
  absl::StatusOr<MergedSelection> selection = ResolveSource(route, query, deadline, &reply.stats);
  if (!selection.ok()) return selection.status();
  absl::StatusOr<std::vector<shard::AttendResult>> results =
      AskWinners(route, query.layer, *selection, AttendPath::kGather, {},
                 /*return_positions=*/true, deadline, &reply.stats);
  if (!results.ok()) return results.status();
  Stopwatch final_stage;
  reply.selection = {
      .selection_id = selection->id,
      .rows = selection->rows.empty() ? MergeWinners(*results) : std::move(selection->rows)};
  reply.selection.top_k =
      selection->top_k == 0 ? WidestRow(reply.selection.rows) : selection->top_k;
  const uint64_t lines = uint64_t{reply.selection.top_k} * reply.selection.rows.size();
  if (absl::Status status = shard::CheckGatherBytes(lines, reply.row_bytes); !status.ok()) {
    return status;
  }
  reply.kv_rows.reserve(lines * reply.row_bytes);
  for (const std::vector<WinnerRow>& row : OrderedRows(*results, reply.row_bytes)) {
    for (const WinnerRow& winner : row) {
      reply.kv_rows.append(reinterpret_cast<const char*>(winner.bytes), reply.row_bytes);
    }
    reply.kv_rows.append((reply.selection.top_k - row.size()) * reply.row_bytes, '\0');
  }
  reply.stats.attend_us = final_stage.Lap();
  reply.stats.total_us = whole.Lap();
  return reply;
}

AttendPath Coordinator::Impl::PathFor(const ContextRoute& route, const AttendQuery& query,
                                      uint32_t query_rows, const MergedSelection& selection) const {
  if (query.path != AttendPath::kAuto) return query.path;
  PathCost cost{.winners = CountCandidates(selection.rows),
                .shards = shards(),
                .query_rows = query_rows,
                .in_process = all_in_process_};
  // An earlier selection is as large as the profile lets it be, as far as is known here.
  if (selection.rows.empty()) {
    cost.winners = uint64_t{query_rows} * static_cast<uint64_t>(route.profile->top_k);
  }
  return ChoosePath(*route.profile, cost);
}

absl::StatusOr<AttendReply> Coordinator::Impl::Attend(const AttendQuery& query,
                                                      absl::Time deadline) {
  return WithRoute(query.context, deadline,
                   [&](const ContextRoute& route) { return AttendTo(route, query, deadline); });
}

void Coordinator::Impl::FinishByGather(const Profile& profile, const AttendQuery& query,
                                       const std::vector<shard::AttendResult>& results,
                                       AttendReply* reply) const {
  const size_t query_row_bytes = profile.query_heads * profile.attend_query_bytes();
  const size_t output_row = size_t{1} * profile.query_heads * profile.latent_dim;
  const std::vector<std::vector<WinnerRow>> rows = OrderedRows(results, profile.row_bytes());
  for (size_t row = 0; row < rows.size(); ++row) {
    std::vector<const std::byte*> pointers;
    for (const WinnerRow& winner : rows[row]) pointers.push_back(winner.bytes);
    backend_.SparseAttention({.format = profile.row_format,
                              .heads = profile.query_heads,
                              .latent_dim = profile.latent_dim,
                              .rope_dim = profile.rope_dim,
                              .softmax_scale = profile.softmax_scale,
                              .queries = query.queries.data() + row * query_row_bytes,
                              .rows = pointers.data(),
                              .row_count = static_cast<int>(pointers.size()),
                              .outputs = &reply->outputs[row * output_row],
                              .lse = &reply->lse[row * profile.query_heads]},
                             pool_);
  }
}

void Coordinator::Impl::FinishByPushDown(const Profile& profile,
                                         const std::vector<shard::AttendResult>& results,
                                         AttendReply* reply) const {
  const size_t output_row = size_t{1} * profile.query_heads * profile.latent_dim;
  for (uint32_t row = 0; row < reply->query_rows; ++row) {
    std::vector<const float*> outputs;
    std::vector<const float*> lse;
    for (const shard::AttendResult& result : results) {
      outputs.push_back(&result.outputs[row * output_row]);
      lse.push_back(&result.lse[size_t{row} * profile.query_heads]);
    }
    kernels::MergeAttention(outputs, lse, profile.query_heads, profile.latent_dim,
                            &reply->outputs[row * output_row],
                            &reply->lse[size_t{row} * profile.query_heads]);
  }
}

absl::StatusOr<AttendReply> Coordinator::Impl::AttendTo(const ContextRoute& route,
                                                        const AttendQuery& query,
                                                        absl::Time deadline) {
  Stopwatch whole;
  Stopwatch planning;
  const Profile& profile = *route.profile;
  AttendReply reply;
  if (absl::Status status = ValidateAttention(profile, query, &reply.query_rows); !status.ok()) {
    return status;
  }
  reply.stats.plan_us = planning.Lap();
  absl::StatusOr<MergedSelection> selection = ResolveSource(route, query, deadline, &reply.stats);
  if (!selection.ok()) return selection.status();
  reply.stats.path = PathFor(route, query, reply.query_rows, *selection);
  absl::StatusOr<std::vector<shard::AttendResult>> results =
      AskWinners(route, query.layer, *selection, reply.stats.path, query.queries,
                 query.return_selection && selection->rows.empty(), deadline, &reply.stats);
  if (!results.ok()) return results.status();
  if (results->front().counts.size() != reply.query_rows) {
    return InvalidField(
        "queries", absl::StrCat(reply.query_rows, " query rows"),
        absl::StrCat("as many as the selection has: ", results->front().counts.size()));
  }
  Stopwatch final_stage;
  const size_t heads = size_t{reply.query_rows} * profile.query_heads;
  reply.outputs.resize(heads * profile.latent_dim);
  reply.lse.resize(heads);
  if (reply.stats.path == AttendPath::kGather) {
    FinishByGather(profile, query, *results, &reply);
  } else {
    FinishByPushDown(profile, *results, &reply);
  }
  if (kernels::FirstNonFiniteFp32(std::as_bytes(std::span(reply.outputs))) >= 0) {
    return Overflow(absl::StrCat("context ", query.context.context_id));
  }
  if (!query.sink.empty()) ApplySink(profile, query.sink, &reply);
  reply.selection.selection_id = selection->id;
  if (query.return_selection) {
    reply.selection.rows =
        selection->rows.empty() ? MergeWinners(*results) : std::move(selection->rows);
    reply.selection.top_k =
        selection->top_k == 0 ? WidestRow(reply.selection.rows) : selection->top_k;
  }
  reply.stats.attend_us = final_stage.Lap();
  reply.stats.total_us = whole.Lap();
  return reply;
}

}  // namespace winnow::coordinator
