#include "services/coordinator/maintenance.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/coordinator/describe.h"
#include "services/coordinator/plan.h"
#include "services/coordinator/validate.h"
#include "storage/error.h"

namespace winnow::coordinator {
namespace {

std::string ShardName(size_t shard) { return absl::StrCat("shard-", shard); }

std::string ShardDirectory(const std::string& directory, size_t shard) {
  return absl::StrCat(directory, "/", ShardName(shard));
}

absl::StatusOr<std::vector<std::string>> UnionOf(std::vector<Answer> answers) {
  absl::StatusOr<std::vector<shard::NamesResult>> results =
      ResultsOf<shard::NamesResult>(std::move(answers));
  if (!results.ok()) return results.status();
  std::set<std::string> names;
  for (shard::NamesResult& result : *results) {
    names.insert(std::make_move_iterator(result.names.begin()),
                 std::make_move_iterator(result.names.end()));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

// Whoever follows a shard that goes on inside the range never comes to an end.
absl::Status CheckNext(size_t shard, uint32_t next_stripe, uint64_t range_end) {
  if (next_stripe == 0 || next_stripe >= range_end) return absl::OkStatus();
  return Error(absl::StatusCode::kInternal, "BAD_REPLY",
               absl::StrCat("shard ", shard, " would go on at stripe ", next_stripe,
                            " of a range that ends at ", range_end));
}

// Of the stripes where shards go on, 0 for none, the first.
uint32_t EarlierStripe(uint32_t a, uint32_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

// The sum of what the shards did with a range.
absl::StatusOr<SnapshotReply> SumOf(const std::vector<shard::SnapshotResult>& results,
                                    uint64_t range_end) {
  SnapshotReply reply;
  for (size_t i = 0; i < results.size(); ++i) {
    const shard::SnapshotResult& result = results[i];
    if (absl::Status status = CheckNext(i, result.next_stripe, range_end); !status.ok()) {
      return status;
    }
    reply.bytes += result.bytes;
    reply.next_stripe = EarlierStripe(reply.next_stripe, result.next_stripe);
    reply.total_stripes = std::max(reply.total_stripes, result.total_stripes);
  }
  return reply;
}

absl::Status CheckNotPinned(const ContextName& name,
                            const std::vector<shard::ContextState>& states) {
  const auto is_pinned = [now = absl::Now()](const shard::ContextState& state) {
    return state.pinned_until > now;
  };
  if (std::none_of(states.begin(), states.end(), is_pinned)) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "CONTEXT_PINNED",
               absl::StrCat("context ", name.context_id, " is pinned in memory; unpin it first"));
}

// That the shards together hold every entry below each layer's end.
absl::Status CheckLoaded(const std::vector<shard::ContextState>& states) {
  for (size_t layer = 0; layer < states.front().layer_ends.size(); ++layer) {
    uint64_t end = 0;
    uint64_t entries = 0;
    for (const shard::ContextState& state : states) {
      end = std::max(end, state.layer_ends[layer]);
      entries += state.layer_entries[layer];
    }
    if (entries == end) continue;
    return Error(absl::StatusCode::kDataLoss, "SNAPSHOT_INCOMPLETE",
                 absl::StrCat("the shards' snapshots hold ", entries, " of the ", end,
                              " entries of layer ", layer, "; they are not of one snapshot"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Maintenance::RenewLease(const ContextName& name, absl::Duration ttl,
                                     absl::Time deadline) const {
  absl::StatusOr<std::vector<shard::ContextState>> states = DescribeAll(channels_, name, deadline);
  if (!states.ok()) return states.status();
  const std::vector<uint64_t> incarnations = Incarnations(*states);
  shard::RenewLease call = {.context_id = ShardId(name), .expires_at = absl::Now() + ttl};
  const absl::Status renewed = Change(channels_, ToParts(call, incarnations), deadline);
  if (!IsGone(renewed)) return renewed;
  // It has gone from a shard in between. The others take back what they were told, so that they
  // free their parts as soon as they would have.
  call.expires_at = absl::InfiniteFuture();
  for (const shard::ContextState& state : *states) {
    call.expires_at = std::min(call.expires_at, state.expires_at);
  }
  static_cast<void>(Change(channels_, ToParts(call, incarnations), deadline));
  const absl::Status held = DescribeAll(channels_, name, deadline).status();
  return held.ok() ? UnknownContext(name) : held;
}

absl::Status Maintenance::PinContext(const ContextName& name, absl::Duration duration,
                                     absl::Time deadline) const {
  absl::StatusOr<std::vector<shard::ContextState>> states = DescribeAll(channels_, name, deadline);
  if (!states.ok()) return states.status();
  const std::vector<uint64_t> incarnations = Incarnations(*states);
  shard::PinContext call = {.context_id = ShardId(name), .until = absl::Now() + duration};
  absl::Status status = Change(channels_, ToParts(call, incarnations), deadline);
  if (absl::IsResourceExhausted(status)) {
    // A context that is pinned in part takes memory and is no faster for it.
    call.until = absl::InfinitePast();
    Change(channels_, ToParts(call, incarnations), deadline).IgnoreError();
  }
  return IsGone(status) ? UnknownContext(name) : status;
}

absl::Status Maintenance::UnpinContext(const ContextName& name, absl::Time deadline) const {
  return PinContext(name, -absl::InfiniteDuration(), deadline);
}

absl::StatusOr<TierReply> Maintenance::Tier(const TierRequest& request, absl::Time deadline) const {
  absl::StatusOr<std::vector<shard::ContextState>> states =
      request.action == shard::TierAction::kVerify
          ? DescribeWhole(channels_, map_, request.context, deadline)
          : DescribeAll(channels_, request.context, deadline);
  if (!states.ok()) return states.status();
  if (request.action == shard::TierAction::kSpill) {
    if (absl::Status status = CheckNotPinned(request.context, *states); !status.ok()) return status;
  }
  const uint32_t stripes =
      request.stripes == 0 ? StripesAtOnce(*states->front().profile) : request.stripes;
  const shard::Tier call = {.action = request.action,
                            .context_id = ShardId(request.context),
                            .index = request.index,
                            .kv = request.kv,
                            .first_stripe = request.first_stripe,
                            .stripes = stripes};
  absl::StatusOr<std::vector<shard::TierResult>> results = ResultsOf<shard::TierResult>(
      CallAll(channels_, ToParts(call, Incarnations(*states)), deadline));
  if (IsGone(results.status())) return UnknownContext(request.context);
  if (!results.ok()) return results.status();
  TierReply reply{.total_stripes = TotalStripes(*states)};
  for (size_t i = 0; i < results->size(); ++i) {
    shard::TierResult& result = (*results)[i];
    absl::Status status =
        CheckNext(i, result.next_stripe, uint64_t{request.first_stripe} + stripes);
    if (!status.ok()) return status;
    reply.index_bytes += result.index_bytes;
    reply.kv_bytes += result.kv_bytes;
    reply.next_stripe = EarlierStripe(reply.next_stripe, result.next_stripe);
    for (const std::string& line : result.corrupt) {
      reply.corrupt.push_back(absl::StrCat("shard ", i, ": ", line));
    }
  }
  return reply;
}

absl::StatusOr<SnapshotReply> Maintenance::SaveSnapshot(const SnapshotRequest& request,
                                                        absl::Time deadline) const {
  absl::StatusOr<std::vector<shard::ContextState>> states =
      DescribeWhole(channels_, map_, request.context, deadline);
  if (!states.ok()) return states.status();
  const uint32_t stripes =
      request.stripes == 0 ? StripesAtOnce(*states->front().profile) : request.stripes;
  const uint64_t entries = Combine(request.context.context_id, *states, absl::Now()).entries;
  std::vector<shard::Call> save;
  std::vector<shard::Call> finish;
  for (size_t i = 0; i < channels_.size(); ++i) {
    shard::SaveSnapshot call{.context_id = ShardId(request.context),
                             .incarnation = (*states)[i].incarnation,
                             .directory = ShardDirectory(request.directory, i),
                             .first_stripe = request.first_stripe,
                             .stripes = stripes,
                             .entries = entries,
                             .shards = static_cast<uint32_t>(channels_.size())};
    save.push_back(call);
    call.first_stripe = call.stripes = 0;
    call.finish = true;
    finish.push_back(std::move(call));
  }
  absl::StatusOr<std::vector<shard::SnapshotResult>> results =
      ResultsOf<shard::SnapshotResult>(CallAll(channels_, save, deadline));
  if (IsGone(results.status())) return UnknownContext(request.context);
  if (!results.ok()) return results.status();
  absl::StatusOr<SnapshotReply> reply = SumOf(*results, uint64_t{request.first_stripe} + stripes);
  if (!reply.ok()) return reply;
  reply->total_stripes = TotalStripes(*states);
  if (reply->next_stripe != 0) return reply;
  // No part is complete before all are.
  results = ResultsOf<shard::SnapshotResult>(CallAll(channels_, finish, deadline));
  if (IsGone(results.status())) return UnknownContext(request.context);
  if (!results.ok()) return results.status();
  for (const shard::SnapshotResult& result : *results) reply->bytes += result.bytes;
  return reply;
}

absl::StatusOr<SnapshotReply> Maintenance::LoadSnapshot(const SnapshotRequest& request,
                                                        absl::Time deadline) const {
  if (absl::Status status = ValidateContextName(request.context); !status.ok()) return status;
  absl::StatusOr<std::vector<shard::ContextState>> states;
  uint32_t stripes = request.stripes;
  if (request.first_stripe != 0) {
    states = DescribeAll(channels_, request.context, deadline);
    if (!states.ok()) return states.status();
    if (stripes == 0) stripes = StripesAtOnce(*states->front().profile);
  }
  // Of the first range, only the snapshot knows the profile yet.
  if (stripes == 0) stripes = 1;
  std::vector<shard::Call> calls;
  for (size_t i = 0; i < channels_.size(); ++i) {
    calls.push_back(shard::LoadSnapshot{.context_id = ShardId(request.context),
                                        .incarnation = states.ok() ? (*states)[i].incarnation : 0,
                                        .tenant = request.context.tenant,
                                        .shards = static_cast<uint32_t>(channels_.size()),
                                        .directory = ShardDirectory(request.directory, i),
                                        .first_stripe = request.first_stripe,
                                        .stripes = stripes});
  }
  absl::StatusOr<std::vector<shard::SnapshotResult>> results =
      ResultsOf<shard::SnapshotResult>(CallAll(channels_, calls, deadline));
  if (IsGone(results.status())) return UnknownContext(request.context);
  if (!results.ok()) return results.status();
  absl::StatusOr<SnapshotReply> reply = SumOf(*results, uint64_t{request.first_stripe} + stripes);
  if (!reply.ok() || reply->next_stripe != 0) return reply;
  states = DescribeAll(channels_, request.context, deadline);
  if (!states.ok()) return states.status();
  if (absl::Status status = CheckLoaded(*states); !status.ok()) return status;
  return reply;
}

absl::StatusOr<std::vector<std::string>> Maintenance::ListTenants(absl::Time deadline) const {
  return UnionOf(Broadcast(channels_, shard::ListTenants{}, deadline));
}

absl::StatusOr<std::vector<ContextName>> Maintenance::ListSnapshots(const std::string& directory,
                                                                    absl::Time deadline) const {
  std::vector<shard::Call> calls;
  for (size_t i = 0; i < channels_.size(); ++i) {
    calls.push_back(shard::ListSnapshots{.directory = directory, .part = ShardName(i)});
  }
  const absl::StatusOr<std::vector<std::string>> names =
      UnionOf(CallAll(channels_, calls, deadline));
  if (!names.ok()) return names.status();
  std::vector<ContextName> snapshots;
  for (const std::string& name : *names) {
    const size_t slash = name.find('/');
    ContextName snapshot{.tenant = name.substr(0, slash)};
    if (slash != std::string::npos) snapshot.context_id = name.substr(slash + 1);
    // Whatever else lies in the directory is nobody's context.
    if (ValidateContextName(snapshot).ok()) snapshots.push_back(std::move(snapshot));
  }
  return snapshots;
}

}  // namespace winnow::coordinator
