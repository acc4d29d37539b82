#include "services/wire/requests.h"

#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/wire/bytes.h"
#include "services/wire/fields.h"
#include "services/wire/utf8.h"
#include "storage/error.h"

namespace winnow::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors travel little-endian");

constexpr int32_t kNoPosition = -1;  // FlashMLA's padding

coordinator::IndexQuery ToIndexQuery(const v1::IndexQuery& message) {
  return {.queries = AsSpan(message.queries()),
          .weights = AsSpan(message.weights()),
          .visible_entries = {message.visible_entries().begin(), message.visible_entries().end()},
          .top_k = message.top_k()};
}

// For GatherRequest and AttendRequest, which name their source alike.
template <typename Request>
absl::StatusOr<coordinator::SelectionSource> ToSource(const Request& message) {
  switch (message.source_case()) {
    case Request::kIndexQuery:
      return ToIndexQuery(message.index_query());
    case Request::kSelectionId:
      return message.selection_id();
    case Request::SOURCE_NOT_SET:
      break;
  }
  return InvalidField("source", "absent", "an index_query or a selection_id");
}

void FromStats(const coordinator::CallStats& stats, v1::CallStats* message) {
  message->set_entries_scanned(stats.entries_scanned);
  message->set_index_bytes_read(stats.index_bytes_read);
  message->set_bytes_moved(stats.bytes_moved);
  message->set_shards(stats.shards);
  message->set_path(static_cast<v1::AttendPath>(stats.path));
  message->set_total_us(stats.total_us);
  message->set_plan_us(stats.plan_us);
  message->set_select_us(stats.select_us);
  message->set_score_us(stats.score_us);
  message->set_merge_us(stats.merge_us);
  message->set_fetch_us(stats.fetch_us);
  message->set_shard_attend_us(stats.shard_attend_us);
  message->set_attend_us(stats.attend_us);
  message->set_score_us_sum(stats.score_us_sum);
  message->set_cold_index_bytes(stats.cold_index_bytes);
  message->set_cold_rows(stats.cold_rows);
  message->set_cached_rows(stats.cached_rows);
}

// Writes the rows padded to top_k, as the message declares them.
void FromSelection(const coordinator::Selection& selection, v1::Selection* message) {
  message->set_selection_id(selection.selection_id);
  if (selection.rows.empty()) return;
  message->set_rows(static_cast<uint32_t>(selection.rows.size()));
  message->set_top_k(selection.top_k);
  const size_t cells = selection.rows.size() * selection.top_k;
  std::vector<int32_t> positions(cells, kNoPosition);
  std::vector<float> scores(cells, -std::numeric_limits<float>::infinity());
  for (size_t row = 0; row < selection.rows.size(); ++row) {
    for (size_t i = 0; i < selection.rows[row].size(); ++i) {
      const kernels::Candidate& chosen = selection.rows[row][i];
      positions[row * selection.top_k + i] = static_cast<int32_t>(chosen.position);
      scores[row * selection.top_k + i] = chosen.score;
    }
  }
  SetBytes<int32_t>(positions, message->mutable_positions());
  SetBytes<float>(scores, message->mutable_scores());
}

}  // namespace

coordinator::ContextName ToContextName(const std::string& tenant, const std::string& context_id) {
  return {.tenant = tenant.empty() ? "default" : tenant, .context_id = context_id};
}

absl::StatusOr<coordinator::ContextOptions> ToOptions(const v1::CreateContextRequest& message) {
  absl::StatusOr<Durability> durability = ToDurability(message.durability());
  if (!durability.ok()) return durability.status();
  absl::StatusOr<absl::Duration> ttl = ToTtl(message.ttl_ms());
  if (!ttl.ok()) return ttl.status();
  return coordinator::ContextOptions{.durability = *durability, .ttl = *ttl};
}

coordinator::AppendEntries ToAppend(const v1::AppendEntriesRequest& message) {
  coordinator::AppendEntries append;
  append.context = ToContextName(message.tenant(), message.context_id());
  append.start_position = message.start_position();
  append.count = message.count();
  append.layers.reserve(message.layers_size());
  for (const v1::LayerEntries& layer : message.layers()) {
    append.layers.push_back({.layer = static_cast<int>(layer.layer()),
                             .index_keys = AsSpan(layer.index_keys()),
                             .kv_rows = AsSpan(layer.kv_rows())});
  }
  return append;
}

absl::StatusOr<coordinator::Query> ToQuery(const v1::SelectRequest& message) {
  if (!message.has_index_query()) {
    return InvalidField("index_query", "absent", "given");
  }
  coordinator::Query query;
  query.context = ToContextName(message.tenant(), message.context_id());
  query.layer = message.layer();
  query.source = ToIndexQuery(message.index_query());
  return query;
}

absl::StatusOr<coordinator::Query> ToQuery(const v1::GatherRequest& message) {
  absl::StatusOr<coordinator::SelectionSource> source = ToSource(message);
  if (!source.ok()) return source.status();
  coordinator::Query query;
  query.context = ToContextName(message.tenant(), message.context_id());
  query.layer = message.layer();
  query.source = *std::move(source);
  return query;
}

absl::StatusOr<coordinator::AttendQuery> ToQuery(const v1::AttendRequest& message) {
  absl::StatusOr<coordinator::SelectionSource> source = ToSource(message);
  if (!source.ok()) return source.status();
  if (!v1::AttendPath_IsValid(message.path())) {
    return InvalidField("path", absl::StrCat(message.path()),
                        "AUTO (0), GATHER (1) or PUSH_DOWN (2)");
  }
  coordinator::AttendQuery query;
  query.context = ToContextName(message.tenant(), message.context_id());
  query.layer = message.layer();
  query.source = *std::move(source);
  query.queries = AsSpan(message.queries());
  query.sink = AsSpan(message.sink());
  query.path = static_cast<coordinator::AttendPath>(message.path());
  query.return_selection = message.return_selection();
  return query;
}

absl::StatusOr<absl::Duration> ToPinDuration(const v1::PinContextRequest& message) {
  if (message.pinned()) return ToTtl(message.for_ms(), "for_ms");
  if (message.for_ms() == 0) return absl::ZeroDuration();
  return InvalidField("for_ms", absl::StrCat(message.for_ms()), "0 where pinned is false");
}

v1::ContextInfo FromListedContext(const coordinator::ContextInfo& info) {
  v1::ContextInfo message;
  message.set_context_id(info.context_id);
  message.set_tenant(info.tenant);
  message.set_profile_fingerprint(info.profile_fingerprint);
  message.set_durability(FromDurability(info.durability));
  message.set_sealed(info.sealed);
  message.set_pinned(info.pinned);
  if (info.pinned) message.set_pinned_for_ms(FromDuration(info.pinned_for));
  message.set_expires_in_ms(FromDuration(info.expires_in));
  message.set_entries(info.entries);
  message.set_index_bytes(info.index_bytes);
  message.set_kv_bytes(info.kv_bytes);
  message.set_resident_index_bytes(info.resident_index_bytes);
  message.set_resident_kv_bytes(info.resident_kv_bytes);
  message.set_stored_bytes(info.stored_bytes);
  message.set_damage(ToUtf8(info.damage));
  return message;
}

v1::ContextInfo FromContextInfo(const coordinator::ContextInfo& info) {
  v1::ContextInfo message = FromListedContext(info);
  message.mutable_layer_entries()->Assign(info.layer_entries.begin(), info.layer_entries.end());
  message.mutable_shard_entries()->Assign(info.shard_entries.begin(), info.shard_entries.end());
  return message;
}

void FromAppendReply(const coordinator::AppendReply& reply, v1::AppendEntriesReply* message) {
  message->set_end_position(reply.end_position);
  message->set_entries_written(message->entries_written() + reply.entries_written);
}

void FromReply(const coordinator::SelectReply& reply, v1::SelectReply* message) {
  FromSelection(reply.selection, message->mutable_selection());
  FromStats(reply.stats, message->mutable_stats());
}

void FromReply(coordinator::GatherReply reply, v1::GatherReply* message) {
  FromSelection(reply.selection, message->mutable_selection());
  message->set_kv_rows(std::move(reply.kv_rows));
  FromStats(reply.stats, message->mutable_stats());
}

void FromReply(const coordinator::AttendReply& reply, v1::AttendReply* message) {
  SetBytes<float>(reply.outputs, message->mutable_outputs());
  SetBytes<float>(reply.lse, message->mutable_lse());
  FromSelection(reply.selection, message->mutable_selection());
  message->mutable_selection()->set_rows(reply.query_rows);
  FromStats(reply.stats, message->mutable_stats());
}

}  // namespace winnow::wire
