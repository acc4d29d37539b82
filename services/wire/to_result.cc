#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/wire/bytes.h"
#include "services/wire/fields.h"
#include "services/wire/profile.h"
#include "services/wire/shard_messages.h"
#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow::wire {
namespace {

using kernels::Candidate;

absl::Status BadReply(absl::string_view what) {
  return Error(absl::StatusCode::kInternal, "BAD_REPLY",
               absl::StrCat("the shard's answer does not fit together: ", what));
}

absl::StatusOr<shard::ContextState> ToState(const v1::ShardContext& message) {
  absl::StatusOr<Profile> profile = ToProfile(message.profile());
  if (!profile.ok()) return BadReply(profile.status().message());
  const size_t layers = profile->layers.size();
  if (static_cast<size_t>(message.layer_entries_size()) != layers ||
      static_cast<size_t>(message.layer_ends_size()) != layers) {
    return BadReply("layer counts differ from the profile's");
  }
  for (size_t i = 0; i < layers; ++i) {
    const int layer = static_cast<int>(i);
    if (message.layer_ends(layer) > uint64_t{kMaxStripes} * kStripeEntries ||
        message.layer_entries(layer) > message.layer_ends(layer)) {
      return BadReply("a layer has more entries than can be below its end");
    }
  }
  absl::StatusOr<Durability> durability = ToDurability(message.durability());
  if (!durability.ok()) return BadReply(durability.status().message());
  absl::StatusOr<absl::Time> expires_at = ToExpiry(message.expires_at_us());
  if (!expires_at.ok()) return BadReply(expires_at.status().message());
  absl::StatusOr<absl::Time> pinned_until = ToPin(message);
  if (!pinned_until.ok()) return BadReply(pinned_until.status().message());
  return shard::ContextState{
      .context_id = message.context_id(),
      .tenant = message.tenant(),
      .profile = std::make_shared<const Profile>(*std::move(profile)),
      .placement_key = message.placement_key(),
      .incarnation = message.incarnation(),
      .durability = *durability,
      .sealed = message.sealed(),
      .pinned_until = *pinned_until,
      .expires_at = *expires_at,
      .index_bytes = message.index_bytes(),
      .kv_bytes = message.kv_bytes(),
      .resident_index_bytes = message.resident_index_bytes(),
      .resident_kv_bytes = message.resident_kv_bytes(),
      .stored_bytes = message.stored_bytes(),
      .layer_entries = {message.layer_entries().begin(), message.layer_entries().end()},
      .layer_ends = {message.layer_ends().begin(), message.layer_ends().end()}};
}

absl::StatusOr<shard::Result> Read(const v1::ShardListContextsResult& message) {
  shard::ListContextsResult result;
  for (const v1::ShardContext& context : message.contexts()) {
    absl::StatusOr<shard::ContextState> state = ToState(context);
    if (!state.ok()) return state.status();
    result.contexts.push_back(*std::move(state));
  }
  return result;
}

// The inverse of FillCandidates.
template <typename Message>
absl::StatusOr<std::vector<std::vector<Candidate>>> ReadCandidates(const Message& message) {
  uint64_t total = 0;
  for (uint32_t count : message.counts()) total += count;
  if (message.candidates().size() % sizeof(Candidate) != 0 ||
      message.candidates().size() / sizeof(Candidate) != total) {
    return BadReply(
        absl::StrCat(message.candidates().size(), " bytes of candidates for a count of ", total));
  }
  std::vector<std::vector<Candidate>> rows;
  const char* next = message.candidates().data();
  for (uint32_t count : message.counts()) {
    std::vector<Candidate>& row = rows.emplace_back(count);
    if (count == 0) continue;
    std::memcpy(row.data(), next, count * sizeof(Candidate));
    next += count * sizeof(Candidate);
  }
  return rows;
}

absl::StatusOr<shard::Result> Read(const v1::ShardSelectResult& message) {
  absl::StatusOr<std::vector<std::vector<Candidate>>> candidates = ReadCandidates(message);
  if (!candidates.ok()) return candidates.status();
  return shard::SelectResult{.candidates = *std::move(candidates),
                             .entries_scanned = message.entries_scanned(),
                             .index_bytes_read = message.index_bytes_read(),
                             .cold_index_bytes = message.cold_index_bytes(),
                             .score_us = message.score_us()};
}

absl::StatusOr<std::vector<float>> ReadFloats(const std::string& field) {
  if (field.size() % sizeof(float) != 0) return BadReply("floats of a broken length");
  std::vector<float> values(field.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), field.data(), field.size());
  return values;
}

absl::StatusOr<shard::Result> Read(v1::ShardAttendResult&& message) {
  shard::AttendResult result;
  result.counts.assign(message.counts().begin(), message.counts().end());
  // A list without winners looks like no list; it is read as the former, which nobody minds who did
  // not ask for it.
  const bool without_winners = std::all_of(result.counts.begin(), result.counts.end(),
                                           [](uint32_t count) { return count == 0; });
  if (without_winners || !message.candidates().empty()) {
    absl::StatusOr<std::vector<std::vector<Candidate>>> winners = ReadCandidates(message);
    if (!winners.ok()) return winners.status();
    result.winners = *std::move(winners);
  }
  absl::StatusOr<std::vector<float>> outputs = ReadFloats(message.outputs());
  absl::StatusOr<std::vector<float>> lse = ReadFloats(message.lse());
  if (!outputs.ok()) return outputs.status();
  if (!lse.ok()) return lse.status();
  result.kv_rows = std::move(*message.mutable_kv_rows());
  result.outputs = *std::move(outputs);
  result.lse = *std::move(lse);
  result.cold_rows = message.cold_rows();
  result.cached_rows = message.cached_rows();
  result.attend_us = message.attend_us();
  return result;
}

shard::PingResult Read(const v1::ShardPingResult& message) {
  return {.version = message.version(),
          .contexts = message.contexts(),
          .entries = message.entries(),
          .index_bytes = message.index_bytes(),
          .kv_bytes = message.kv_bytes(),
          .threads = message.threads(),
          .kernels = message.kernels(),
          .memory_bytes = message.memory_bytes(),
          .memory_budget_bytes = message.memory_budget_bytes(),
          .disk_bytes = message.disk_bytes(),
          .corrupt_pages = message.corrupt_pages(),
          .device_bytes = message.device_bytes(),
          .device_capacity_bytes = message.device_capacity_bytes()};
}

// A stripe to go on from that no context can have would be asked for again and again.
absl::Status CheckNext(uint32_t next_stripe) {
  if (next_stripe < kMaxStripes) return absl::OkStatus();
  return BadReply(absl::StrCat("the next stripe is ", next_stripe));
}

absl::StatusOr<shard::Result> Read(const v1::ShardTierResult& message) {
  if (absl::Status status = CheckNext(message.next_stripe()); !status.ok()) return status;
  return shard::TierResult{.index_bytes = message.index_bytes(),
                           .kv_bytes = message.kv_bytes(),
                           .next_stripe = message.next_stripe(),
                           .corrupt = {message.corrupt().begin(), message.corrupt().end()}};
}

absl::StatusOr<shard::Result> Read(const v1::ShardSnapshotResult& message) {
  if (absl::Status status = CheckNext(message.next_stripe()); !status.ok()) return status;
  return shard::SnapshotResult{.bytes = message.bytes(),
                               .next_stripe = message.next_stripe(),
                               .total_stripes = message.total_stripes()};
}

}  // namespace

absl::StatusOr<shard::Result> ToResult(v1::ShardReply message) {
  if (message.code() != 0) return FromParts(message.code(), message.message(), message.error());
  switch (message.result_case()) {
    case v1::ShardReply::kPing:
      return Read(message.ping());
    case v1::ShardReply::kListContexts:
      return Read(message.list_contexts());
    case v1::ShardReply::kDescribe:
      return ToState(message.describe().context());
    case v1::ShardReply::kAppend:
      return shard::AppendResult{.entries_written = message.append().entries_written()};
    case v1::ShardReply::kSelect:
      return Read(message.select());
    case v1::ShardReply::kAttend:
      return Read(std::move(*message.mutable_attend()));
    case v1::ShardReply::kTier:
      return Read(message.tier());
    case v1::ShardReply::kSnapshot:
      return Read(message.snapshot());
    case v1::ShardReply::kNames:
      return shard::NamesResult{{message.names().names().begin(), message.names().names().end()}};
    case v1::ShardReply::RESULT_NOT_SET:
      break;
  }
  return shard::Done{};
}

}  // namespace winnow::wire
