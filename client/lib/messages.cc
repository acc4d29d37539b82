#include "client/lib/messages.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/wire/bytes.h"
#include "storage/error.h"

namespace winnow::client {
namespace {

template <typename T>
std::vector<T> FromBytes(const std::string& field) {
  std::vector<T> values(field.size() / sizeof(T));
  // memcpy takes no null, not even for nothing.
  if (!values.empty()) std::memcpy(values.data(), field.data(), values.size() * sizeof(T));
  return values;
}

CallStats FromMessage(const v1::CallStats& message) {
  return {.entries_scanned = message.entries_scanned(),
          .index_bytes_read = message.index_bytes_read(),
          .bytes_moved = message.bytes_moved(),
          .shards = message.shards(),
          .path = static_cast<AttendPath>(message.path()),
          .total_us = message.total_us(),
          .plan_us = message.plan_us(),
          .select_us = message.select_us(),
          .score_us = message.score_us(),
          .merge_us = message.merge_us(),
          .fetch_us = message.fetch_us(),
          .shard_attend_us = message.shard_attend_us(),
          .attend_us = message.attend_us(),
          .score_us_sum = message.score_us_sum(),
          .cold_index_bytes = message.cold_index_bytes(),
          .cold_rows = message.cold_rows(),
          .cached_rows = message.cached_rows()};
}

absl::Duration Remaining(uint64_t ms) {
  return ms == 0 ? absl::InfiniteDuration() : absl::Milliseconds(static_cast<int64_t>(ms));
}

Selection FromMessage(const v1::Selection& message) {
  return {.selection_id = message.selection_id(),
          .rows = message.rows(),
          .top_k = message.top_k(),
          .positions = FromBytes<int32_t>(message.positions()),
          .scores = FromBytes<float>(message.scores())};
}

absl::Status CheckMessageBytes(const std::string& field, uint64_t bytes) {
  constexpr uint64_t kMaxBytes = uint64_t{1} << 30;  // gRPC ends a process that sends 2 GiB
  if (bytes <= kMaxBytes) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(bytes, " bytes"),
                      absl::StrCat("at most ", kMaxBytes,
                                   " bytes together; the service may take less (--max-message)"));
}

uint64_t BytesOf(const SelectionSource& source) {
  const auto* query = std::get_if<IndexQuery>(&source);
  if (query == nullptr) return 0;
  return query->queries.size_bytes() + query->weights.size_bytes() +
         query->visible_entries.size() * sizeof query->visible_entries[0];
}

}  // namespace

absl::Status CheckBytes(std::span<const LayerEntries> layers) {
  uint64_t bytes = 0;
  for (const LayerEntries& layer : layers) {
    bytes += layer.index_keys.size_bytes() + layer.kv_rows.size_bytes();
  }
  return CheckMessageBytes("layers", bytes);
}

absl::Status CheckBytes(const SelectionSource& source) {
  return CheckMessageBytes("the query", BytesOf(source));
}

absl::Status CheckBytes(const AttendRequest& request) {
  return CheckMessageBytes("the query", BytesOf(request.source) + request.queries.size_bytes() +
                                            request.sink.size_bytes());
}

v1::AppendEntriesRequest ToMessage(const std::string& tenant, const std::string& context_id,
                                   uint64_t start_position, uint32_t count,
                                   std::span<const LayerEntries> layers) {
  v1::AppendEntriesRequest message;
  message.set_tenant(tenant);
  message.set_context_id(context_id);
  message.set_start_position(start_position);
  message.set_count(count);
  for (const LayerEntries& layer : layers) {
    v1::LayerEntries* entries = message.add_layers();
    entries->set_layer(static_cast<uint32_t>(layer.layer));
    wire::SetBytes(layer.index_keys, entries->mutable_index_keys());
    wire::SetBytes(layer.kv_rows, entries->mutable_kv_rows());
  }
  return message;
}

v1::IndexQuery ToMessage(const IndexQuery& query) {
  v1::IndexQuery message;
  wire::SetBytes(query.queries, message.mutable_queries());
  wire::SetBytes(query.weights, message.mutable_weights());
  message.mutable_visible_entries()->Assign(query.visible_entries.begin(),
                                            query.visible_entries.end());
  message.set_top_k(query.top_k);
  return message;
}

v1::AttendRequest ToMessage(const std::string& tenant, const std::string& context_id,
                            const AttendRequest& request) {
  v1::AttendRequest message;
  message.set_tenant(tenant);
  message.set_context_id(context_id);
  message.set_layer(static_cast<uint32_t>(request.layer));
  if (const auto* query = std::get_if<IndexQuery>(&request.source)) {
    *message.mutable_index_query() = ToMessage(*query);
  } else {
    message.set_selection_id(std::get<uint64_t>(request.source));
  }
  wire::SetBytes(request.queries, message.mutable_queries());
  wire::SetBytes(request.sink, message.mutable_sink());
  message.set_path(static_cast<v1::AttendPath>(request.path));
  message.set_return_selection(request.return_selection);
  return message;
}

v1::TierRequest ToMessage(const std::string& tenant, const std::string& context_id, Planes planes,
                          const StripeRange& range) {
  v1::TierRequest message;
  message.set_tenant(tenant);
  message.set_context_id(context_id);
  message.set_planes(static_cast<v1::Planes>(planes));
  message.set_first_stripe(range.first_stripe);
  message.set_stripes(range.stripes);
  return message;
}

v1::SnapshotRequest ToMessage(const std::string& tenant, const std::string& context_id,
                              const std::string& directory, const StripeRange& range) {
  v1::SnapshotRequest message;
  message.set_tenant(tenant);
  message.set_context_id(context_id);
  message.set_directory(directory);
  message.set_first_stripe(range.first_stripe);
  message.set_stripes(range.stripes);
  return message;
}

AppendResult FromMessage(const v1::AppendEntriesReply& message) {
  return {.end_position = message.end_position(), .entries_written = message.entries_written()};
}

SelectResult FromMessage(const v1::SelectReply& message) {
  return {.selection = FromMessage(message.selection()), .stats = FromMessage(message.stats())};
}

GatherResult FromMessage(v1::GatherReply&& message) {
  return {.selection = FromMessage(message.selection()),
          .kv_rows = std::move(*message.mutable_kv_rows()),
          .stats = FromMessage(message.stats())};
}

AttendResult FromMessage(const v1::AttendReply& message) {
  return {.outputs = FromBytes<float>(message.outputs()),
          .lse = FromBytes<float>(message.lse()),
          .selection = FromMessage(message.selection()),
          .stats = FromMessage(message.stats())};
}

ContextInfo FromMessage(const v1::ContextInfo& message) {
  return {.context_id = message.context_id(),
          .tenant = message.tenant(),
          .profile_fingerprint = message.profile_fingerprint(),
          .durability = static_cast<Durability>(message.durability()),
          .sealed = message.sealed(),
          .pinned = message.pinned(),
          .pinned_for = Remaining(message.pinned_for_ms()),
          .expires_in = Remaining(message.expires_in_ms()),
          .entries = message.entries(),
          .index_bytes = message.index_bytes(),
          .kv_bytes = message.kv_bytes(),
          .resident_index_bytes = message.resident_index_bytes(),
          .resident_kv_bytes = message.resident_kv_bytes(),
          .stored_bytes = message.stored_bytes(),
          .layer_entries = {message.layer_entries().begin(), message.layer_entries().end()},
          .shard_entries = {message.shard_entries().begin(), message.shard_entries().end()},
          .damage = message.damage()};
}

NodeInfo FromMessage(const v1::ListNodesReply::Node& message) {
  return {.name = message.name(),
          .address = message.address(),
          .reachable = message.reachable(),
          .round_trip_us = message.round_trip_us(),
          .version = message.version(),
          .error = message.error()};
}

ShardInfo FromMessage(const v1::ListShardsReply::Shard& message) {
  return {.shard = message.shard(),
          .address = message.address(),
          .slots = message.slots(),
          .contexts = message.contexts(),
          .entries = message.entries(),
          .index_bytes = message.index_bytes(),
          .kv_bytes = message.kv_bytes(),
          .threads = message.threads(),
          .kernels = message.kernels(),
          .error = message.error(),
          .memory_bytes = message.memory_bytes(),
          .memory_budget_bytes = message.memory_budget_bytes(),
          .disk_bytes = message.disk_bytes(),
          .corrupt_pages = message.corrupt_pages(),
          .device_bytes = message.device_bytes(),
          .device_capacity_bytes = message.device_capacity_bytes()};
}

TierResult FromMessage(const v1::TierReply& message) {
  return {.index_bytes = message.index_bytes(),
          .kv_bytes = message.kv_bytes(),
          .next_stripe = message.next_stripe(),
          .total_stripes = message.total_stripes(),
          .corrupt = {message.corrupt().begin(), message.corrupt().end()}};
}

SnapshotResult FromMessage(const v1::SnapshotReply& message) {
  return {.bytes = message.bytes(),
          .next_stripe = message.next_stripe(),
          .total_stripes = message.total_stripes()};
}

}  // namespace winnow::client
