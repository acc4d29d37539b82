#include <utility>

#include "services/wire/bytes.h"
#include "services/wire/fields.h"
#include "services/wire/profile.h"
#include "services/wire/shard_messages.h"
#include "services/wire/status.h"
#include "services/wire/utf8.h"

namespace winnow::wire {
namespace {

using kernels::Candidate;

// One message of each result, found by overload.

void Fill(const shard::Done&, v1::ShardReply*) {}

void Fill(const shard::PingResult& result, v1::ShardReply* reply) {
  v1::ShardPingResult* message = reply->mutable_ping();
  message->set_version(result.version);
  message->set_contexts(result.contexts);
  message->set_entries(result.entries);
  message->set_index_bytes(result.index_bytes);
  message->set_kv_bytes(result.kv_bytes);
  message->set_threads(result.threads);
  message->set_kernels(result.kernels);
  message->set_memory_bytes(result.memory_bytes);
  message->set_memory_budget_bytes(result.memory_budget_bytes);
  message->set_disk_bytes(result.disk_bytes);
  message->set_corrupt_pages(result.corrupt_pages);
  message->set_device_bytes(result.device_bytes);
  message->set_device_capacity_bytes(result.device_capacity_bytes);
}

v1::ShardContext FromState(const shard::ContextState& state) {
  v1::ShardContext message;
  message.set_context_id(state.context_id);
  message.set_tenant(state.tenant);
  *message.mutable_profile() = FromProfile(*state.profile);
  message.set_placement_key(state.placement_key);
  message.set_incarnation(state.incarnation);
  message.set_durability(FromDurability(state.durability));
  message.set_sealed(state.sealed);
  SetPin(state.pinned_until, &message);
  message.set_expires_at_us(FromExpiry(state.expires_at));
  message.set_index_bytes(state.index_bytes);
  message.set_kv_bytes(state.kv_bytes);
  message.set_resident_index_bytes(state.resident_index_bytes);
  message.set_resident_kv_bytes(state.resident_kv_bytes);
  message.set_stored_bytes(state.stored_bytes);
  message.mutable_layer_entries()->Assign(state.layer_entries.begin(), state.layer_entries.end());
  message.mutable_layer_ends()->Assign(state.layer_ends.begin(), state.layer_ends.end());
  return message;
}

void Fill(const shard::ContextState& result, v1::ShardReply* reply) {
  *reply->mutable_describe()->mutable_context() = FromState(result);
}

void Fill(const shard::ListContextsResult& result, v1::ShardReply* reply) {
  v1::ShardListContextsResult* message = reply->mutable_list_contexts();
  for (const shard::ContextState& state : result.contexts) {
    *message->add_contexts() = FromState(state);
  }
}

void Fill(const shard::AppendResult& result, v1::ShardReply* reply) {
  reply->mutable_append()->set_entries_written(result.entries_written);
}

// Counts of each row and all candidates in one field; the message types name both alike.
template <typename Message>
void FillCandidates(const std::vector<std::vector<Candidate>>& rows, Message* message) {
  size_t total = 0;
  for (const std::vector<Candidate>& row : rows) total += row.size();
  std::string* bytes = message->mutable_candidates();
  bytes->reserve(total * sizeof(Candidate));
  for (const std::vector<Candidate>& row : rows) {
    bytes->append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(Candidate));
  }
}

void Fill(const shard::SelectResult& result, v1::ShardReply* reply) {
  v1::ShardSelectResult* message = reply->mutable_select();
  for (const auto& row : result.candidates) message->add_counts(static_cast<uint32_t>(row.size()));
  FillCandidates(result.candidates, message);
  message->set_entries_scanned(result.entries_scanned);
  message->set_index_bytes_read(result.index_bytes_read);
  message->set_cold_index_bytes(result.cold_index_bytes);
  message->set_score_us(result.score_us);
}

void Fill(shard::AttendResult&& result, v1::ShardReply* reply) {
  v1::ShardAttendResult* message = reply->mutable_attend();
  message->mutable_counts()->Assign(result.counts.begin(), result.counts.end());
  FillCandidates(result.winners, message);
  message->set_kv_rows(std::move(result.kv_rows));
  SetBytes<float>(result.outputs, message->mutable_outputs());
  SetBytes<float>(result.lse, message->mutable_lse());
  message->set_cold_rows(result.cold_rows);
  message->set_cached_rows(result.cached_rows);
  message->set_attend_us(result.attend_us);
}

void Fill(const shard::TierResult& result, v1::ShardReply* reply) {
  v1::ShardTierResult* message = reply->mutable_tier();
  message->set_index_bytes(result.index_bytes);
  message->set_kv_bytes(result.kv_bytes);
  message->set_next_stripe(result.next_stripe);
  for (const std::string& line : result.corrupt) message->add_corrupt(ToUtf8(line));
}

void Fill(const shard::SnapshotResult& result, v1::ShardReply* reply) {
  v1::ShardSnapshotResult* message = reply->mutable_snapshot();
  message->set_bytes(result.bytes);
  message->set_next_stripe(result.next_stripe);
  message->set_total_stripes(result.total_stripes);
}

void Fill(const shard::NamesResult& result, v1::ShardReply* reply) {
  reply->mutable_names()->mutable_names()->Assign(result.names.begin(), result.names.end());
}

}  // namespace

void FromResult(absl::StatusOr<shard::Result> result, v1::ShardReply* message) {
  if (result.ok()) {
    std::visit([message](auto&& alternative) { Fill(std::move(alternative), message); },
               *std::move(result));
    return;
  }
  SetStatus(result.status(), message);
}

}  // namespace winnow::wire
