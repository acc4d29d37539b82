#include "services/coordinator/describe.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/error.h"

namespace winnow::coordinator {
namespace {

// The shards do not free a context at the same moment: their clocks may differ by this much.
constexpr absl::Duration kClockSkew = absl::Seconds(5);

// Whether a context that some shards no longer hold is one whose time is over on all of them.
bool HasExpired(const std::vector<Answer>& answers) {
  const absl::Time over = absl::Now() + kClockSkew;
  return std::all_of(answers.begin(), answers.end(), [over](const Answer& answer) {
    if (!answer.result.ok()) return true;
    const auto* state = std::get_if<shard::ContextState>(&*answer.result);
    return state != nullptr && state->expires_at <= over;
  });
}

}  // namespace

std::string ShardId(const ContextName& name) {
  return absl::StrCat(name.tenant, "/", name.context_id);
}

absl::Status UnknownContext(const ContextName& name) {
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT",
               absl::StrCat("there is no context ", name.context_id, " of tenant ", name.tenant),
               {{"context_id", name.context_id}});
}

ContextInfo Combine(const std::string& context_id, const std::vector<shard::ContextState>& states,
                    absl::Time now) {
  const Profile& profile = *states.front().profile;
  ContextInfo info{.context_id = context_id,
                   .tenant = states.front().tenant,
                   .profile_fingerprint = Fingerprint(profile),
                   .durability = states.front().durability,
                   .sealed = states.front().sealed,
                   .pinned = true,
                   .entries = std::numeric_limits<uint64_t>::max(),
                   .layer_entries = std::vector<uint64_t>(profile.layers.size())};
  for (const shard::ContextState& state : states) {
    info.index_bytes += state.index_bytes;
    info.kv_bytes += state.kv_bytes;
    info.resident_index_bytes += state.resident_index_bytes;
    info.resident_kv_bytes += state.resident_kv_bytes;
    info.stored_bytes += state.stored_bytes;
    // A change that has not reached every shard: what may be relied on is the least of them.
    info.durability = std::min(info.durability, state.durability);
    info.pinned = info.pinned && state.pinned_until > now;
    info.pinned_for = std::min(info.pinned_for, state.pinned_until - now);
    info.expires_in = std::min(info.expires_in, state.expires_at - now);
    uint64_t most = 0;
    for (size_t layer = 0; layer < info.layer_entries.size(); ++layer) {
      info.layer_entries[layer] = std::max(info.layer_entries[layer], state.layer_ends[layer]);
      most = std::max(most, state.layer_entries[layer]);
    }
    info.shard_entries.push_back(most);
  }
  for (size_t layer = 0; layer < info.layer_entries.size(); ++layer) {
    if (profile.stores(static_cast<int>(layer))) {
      info.entries = std::min(info.entries, info.layer_entries[layer]);
    }
  }
  return info;
}

uint32_t TotalStripes(const std::vector<shard::ContextState>& states) {
  uint64_t end = 0;
  for (const shard::ContextState& state : states) {
    for (const uint64_t layer_end : state.layer_ends) end = std::max(end, layer_end);
  }
  return static_cast<uint32_t>((end + kStripeEntries - 1) / kStripeEntries);
}

absl::StatusOr<std::vector<shard::ContextState>> DescribeAll(Channels channels,
                                                             const std::string& shard_id,
                                                             absl::Time deadline) {
  std::vector<Answer> answers =
      Broadcast(channels, shard::Describe{.context_id = shard_id}, deadline);
  size_t unknown = 0;
  size_t lacking = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].result.status().code() != absl::StatusCode::kNotFound) continue;
    ++unknown;
    lacking = i;
  }
  if (unknown > 0 && unknown < answers.size()) {
    for (const Answer& answer : answers) {
      if (!answer.result.ok() && answer.result.status().code() != absl::StatusCode::kNotFound) {
        return answer.result.status();
      }
    }
    if (HasExpired(answers)) return answers[lacking].result.status();
    return Error(absl::StatusCode::kDataLoss, "MISSING_CONTEXT",
                 absl::StrCat("shard ", lacking, " at ", channels[lacking]->address(),
                              " does not hold context ", shard_id,
                              " while others do; it may have restarted"),
                 {{"shards", absl::StrCat(lacking)}});
  }
  absl::StatusOr<std::vector<shard::ContextState>> states =
      ResultsOf<shard::ContextState>(std::move(answers));
  if (!states.ok()) return states;
  for (const shard::ContextState& state : *states) {
    if (*state.profile != *states->front().profile ||
        state.placement_key != states->front().placement_key) {
      return Error(absl::StatusCode::kDataLoss, "MISSING_CONTEXT",
                   absl::StrCat("the shards hold different contexts under the name ", shard_id));
    }
  }
  return states;
}

}  // namespace winnow::coordinator
