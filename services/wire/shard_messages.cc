#include "services/wire/shard_messages.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/wire/bytes.h"
#include "services/wire/profile.h"
#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow::wire {
namespace {

using kernels::Candidate;

// One message of each call and result, in both directions, found by overload.

void Fill(const shard::Ping&, v1::ShardRequest* request) { request->mutable_ping(); }

void Fill(const shard::CreateContext& call, v1::ShardRequest* request) {
  v1::ShardCreateContext* message = request->mutable_create_context();
  message->set_context_id(call.context_id);
  message->set_tenant(call.tenant);
  *message->mutable_profile() = FromProfile(*call.profile);
  message->set_placement_key(call.placement_key);
}

void Fill(const shard::ForkContext& call, v1::ShardRequest* request) {
  v1::ShardForkContext* message = request->mutable_fork_context();
  message->set_context_id(call.context_id);
  message->set_parent_context_id(call.parent_context_id);
  message->set_entries(call.entries);
}

void Fill(const shard::SealContext& call, v1::ShardRequest* request) {
  request->mutable_seal_context()->set_context_id(call.context_id);
}

void Fill(const shard::DeleteContext& call, v1::ShardRequest* request) {
  request->mutable_delete_context()->set_context_id(call.context_id);
}

void Fill(const shard::ListContexts& call, v1::ShardRequest* request) {
  v1::ShardListContexts* message = request->mutable_list_contexts();
  message->set_tenant(call.tenant);
  message->set_after(call.after);
  message->set_limit(call.limit);
}

void Fill(const shard::Describe& call, v1::ShardRequest* request) {
  request->mutable_describe()->set_context_id(call.context_id);
}

void Fill(const shard::Append& call, v1::ShardRequest* request) {
  v1::ShardAppend* message = request->mutable_append();
  message->set_context_id(call.context_id);
  message->set_context_tag(call.context_tag);
  message->set_stripe(call.stripe);
  message->set_offset(call.offset);
  message->set_count(call.count);
  message->set_check_only(call.check_only);
  message->set_compare_only(call.compare_only);
  for (const LayerBytes& layer : call.layers) {
    v1::ShardLayerEntries* entries = message->add_layers();
    entries->set_layer(static_cast<uint32_t>(layer.layer));
    SetBytes(layer.index_keys, entries->mutable_index_keys());
    SetBytes(layer.kv_rows, entries->mutable_kv_rows());
  }
}

void Fill(const shard::Select& call, v1::ShardRequest* request) {
  v1::ShardSelect* message = request->mutable_select();
  message->set_context_id(call.context_id);
  message->set_context_tag(call.context_tag);
  message->set_layer(call.layer);
  SetBytes(call.queries, message->mutable_queries());
  SetBytes(call.weights, message->mutable_weights());
  message->mutable_visible_entries()->Assign(call.visible_entries.begin(),
                                             call.visible_entries.end());
  message->set_top_k(call.top_k);
  message->mutable_stripes()->Assign(call.stripes.begin(), call.stripes.end());
  message->set_selection_id(call.selection_id);
}

void Fill(const shard::Attend& call, v1::ShardRequest* request) {
  v1::ShardAttend* message = request->mutable_attend();
  message->set_selection_id(call.selection_id);
  message->set_context_id(call.context_id);
  message->set_context_tag(call.context_tag);
  message->set_layer(call.layer);
  SetBytes<Candidate>(call.thresholds, message->mutable_thresholds());
  message->set_path(static_cast<v1::AttendPath>(call.path));
  SetBytes(call.queries, message->mutable_queries());
  message->set_return_positions(call.return_positions);
}

absl::StatusOr<shard::Call> Read(const v1::ShardCreateContext& message) {
  absl::StatusOr<Profile> profile = ToProfile(message.profile());
  if (!profile.ok()) return profile.status();
  return shard::CreateContext{.context_id = message.context_id(),
                              .tenant = message.tenant(),
                              .profile = std::make_shared<const Profile>(*std::move(profile)),
                              .placement_key = message.placement_key()};
}

shard::Call Read(const v1::ShardAppend& message) {
  shard::Append call;
  call.context_id = message.context_id();
  call.context_tag = message.context_tag();
  call.stripe = message.stripe();
  call.offset = message.offset();
  call.count = message.count();
  call.check_only = message.check_only();
  call.compare_only = message.compare_only();
  for (const v1::ShardLayerEntries& layer : message.layers()) {
    call.layers.push_back({.layer = static_cast<int>(layer.layer()),
                           .index_keys = AsSpan(layer.index_keys()),
                           .kv_rows = AsSpan(layer.kv_rows())});
  }
  return call;
}

shard::Call Read(const v1::ShardSelect& message) {
  shard::Select call;
  call.context_id = message.context_id();
  call.context_tag = message.context_tag();
  call.layer = message.layer();
  call.queries = AsSpan(message.queries());
  call.weights = AsSpan(message.weights());
  call.visible_entries.assign(message.visible_entries().begin(), message.visible_entries().end());
  call.top_k = message.top_k();
  call.stripes.assign(message.stripes().begin(), message.stripes().end());
  call.selection_id = message.selection_id();
  return call;
}

absl::StatusOr<shard::Call> Read(const v1::ShardAttend& message) {
  if (message.thresholds().size() % sizeof(Candidate) != 0) {
    return InvalidField("thresholds", absl::StrCat(message.thresholds().size(), " bytes"),
                        "a multiple of 8 bytes");
  }
  if (!v1::AttendPath_IsValid(message.path())) {
    return InvalidField("path", absl::StrCat(message.path()),
                        "AUTO (0), GATHER (1) or PUSH_DOWN (2)");
  }
  shard::Attend call;
  call.selection_id = message.selection_id();
  call.context_id = message.context_id();
  call.context_tag = message.context_tag();
  call.layer = message.layer();
  call.thresholds.resize(message.thresholds().size() / sizeof(Candidate));
  std::memcpy(call.thresholds.data(), message.thresholds().data(), message.thresholds().size());
  call.path = static_cast<shard::AttendPath>(message.path());
  call.queries = AsSpan(message.queries());
  call.return_positions = message.return_positions();
  return call;
}

absl::Status BadReply(absl::string_view what) {
  return Error(absl::StatusCode::kInternal, "BAD_REPLY",
               absl::StrCat("the shard's answer does not fit together: ", what));
}

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
}

v1::ShardContext FromState(const shard::ContextState& state) {
  v1::ShardContext message;
  message.set_context_id(state.context_id);
  message.set_tenant(state.tenant);
  *message.mutable_profile() = FromProfile(*state.profile);
  message.set_placement_key(state.placement_key);
  message.set_sealed(state.sealed);
  message.set_index_bytes(state.index_bytes);
  message.set_kv_bytes(state.kv_bytes);
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
  message->set_score_us(result.score_us);
}

void Fill(const shard::AttendResult& result, v1::ShardReply* reply) {
  v1::ShardAttendResult* message = reply->mutable_attend();
  message->mutable_counts()->Assign(result.counts.begin(), result.counts.end());
  FillCandidates(result.winners, message);
  SetBytes<std::byte>(result.kv_rows, message->mutable_kv_rows());
  SetBytes<float>(result.outputs, message->mutable_outputs());
  SetBytes<float>(result.lse, message->mutable_lse());
  message->set_attend_us(result.attend_us);
}

absl::StatusOr<shard::ContextState> ToState(const v1::ShardContext& message) {
  absl::StatusOr<Profile> profile = ToProfile(message.profile());
  if (!profile.ok()) return BadReply(profile.status().message());
  const size_t layers = profile->layers.size();
  if (static_cast<size_t>(message.layer_entries_size()) != layers ||
      static_cast<size_t>(message.layer_ends_size()) != layers) {
    return BadReply("layer counts differ from the profile's");
  }
  return shard::ContextState{
      .context_id = message.context_id(),
      .tenant = message.tenant(),
      .profile = std::make_shared<const Profile>(*std::move(profile)),
      .placement_key = message.placement_key(),
      .sealed = message.sealed(),
      .index_bytes = message.index_bytes(),
      .kv_bytes = message.kv_bytes(),
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
                             .score_us = message.score_us()};
}

absl::StatusOr<std::vector<float>> ReadFloats(const std::string& field) {
  if (field.size() % sizeof(float) != 0) return BadReply("floats of a broken length");
  std::vector<float> values(field.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), field.data(), field.size());
  return values;
}

absl::StatusOr<shard::Result> Read(const v1::ShardAttendResult& message) {
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
  const std::span<const std::byte> rows = AsSpan(message.kv_rows());
  result.kv_rows.assign(rows.begin(), rows.end());
  result.outputs = *std::move(outputs);
  result.lse = *std::move(lse);
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
          .kernels = message.kernels()};
}

}  // namespace

void FromCall(const shard::Call& call, v1::ShardRequest* message) {
  std::visit([message](const auto& alternative) { Fill(alternative, message); }, call);
}

absl::StatusOr<shard::Call> ToCall(const v1::ShardRequest& message) {
  switch (message.call_case()) {
    case v1::ShardRequest::kPing:
      return shard::Ping{};
    case v1::ShardRequest::kCreateContext:
      return Read(message.create_context());
    case v1::ShardRequest::kForkContext:
      return shard::ForkContext{.context_id = message.fork_context().context_id(),
                                .parent_context_id = message.fork_context().parent_context_id(),
                                .entries = message.fork_context().entries()};
    case v1::ShardRequest::kSealContext:
      return shard::SealContext{.context_id = message.seal_context().context_id()};
    case v1::ShardRequest::kDeleteContext:
      return shard::DeleteContext{.context_id = message.delete_context().context_id()};
    case v1::ShardRequest::kListContexts:
      return shard::ListContexts{.tenant = message.list_contexts().tenant(),
                                 .after = message.list_contexts().after(),
                                 .limit = message.list_contexts().limit()};
    case v1::ShardRequest::kDescribe:
      return shard::Describe{.context_id = message.describe().context_id()};
    case v1::ShardRequest::kAppend:
      return Read(message.append());
    case v1::ShardRequest::kSelect:
      return Read(message.select());
    case v1::ShardRequest::kAttend:
      return Read(message.attend());
    case v1::ShardRequest::CALL_NOT_SET:
      break;
  }
  return InvalidField("call", "absent", "one of the calls of ShardRequest");
}

void FromResult(const absl::StatusOr<shard::Result>& result, v1::ShardReply* message) {
  if (result.ok()) {
    std::visit([message](const auto& alternative) { Fill(alternative, message); }, *result);
    return;
  }
  message->set_code(static_cast<int>(result.status().code()));
  message->set_message(std::string(result.status().message()));
  *message->mutable_error() = ToErrorInfo(result.status());
}

absl::StatusOr<shard::Result> ToResult(const v1::ShardReply& message) {
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
      return Read(message.attend());
    case v1::ShardReply::RESULT_NOT_SET:
      break;
  }
  return shard::Done{};
}

}  // namespace winnow::wire
