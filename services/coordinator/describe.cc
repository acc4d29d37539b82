#include "services/coordinator/describe.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/coordinator/plan.h"
#include "services/coordinator/validate.h"
#include "storage/error.h"

namespace winnow::coordinator {
namespace {

// Between looks at a context that only some shards hold.
constexpr std::array<absl::Duration, 3> kPauses = {absl::Milliseconds(5), absl::Milliseconds(50),
                                                   absl::Milliseconds(200)};

// Whether a context that some shards no longer hold is one whose time is over on all of them.
bool HasExpired(const std::vector<Answer>& answers) {
  const absl::Time over = absl::Now() + kClockSkew;
  return std::all_of(answers.begin(), answers.end(), [over](const Answer& answer) {
    if (!answer.result.ok()) return true;
    const auto* state = std::get_if<shard::ContextState>(&*answer.result);
    return state != nullptr && state->expires_at <= over;
  });
}

absl::Status CheckAlike(const ContextName& name, const std::vector<shard::ContextState>& states) {
  for (const shard::ContextState& state : states) {
    if (*state.profile != *states.front().profile ||
        state.placement_key != states.front().placement_key) {
      return Error(absl::StatusCode::kDataLoss, "MISSING_CONTEXT",
                   absl::StrCat("the shards hold different contexts under the name ",
                                name.context_id, " of tenant ", name.tenant));
    }
  }
  return absl::OkStatus();
}

// [layers] where each ends, over all shards.
std::vector<uint64_t> LayerEnds(const std::vector<shard::ContextState>& states) {
  std::vector<uint64_t> ends(states.front().layer_ends.size());
  for (const shard::ContextState& state : states) {
    for (size_t i = 0; i < ends.size(); ++i) ends[i] = std::max(ends[i], state.layer_ends[i]);
  }
  return ends;
}

// [shards] how many of the entries [0, end) each must hold.
std::vector<uint64_t> EntriesByShard(const cluster::ClusterMap& map, uint64_t placement_key,
                                     uint64_t end) {
  std::vector<uint64_t> entries;
  for (const std::vector<uint32_t>& stripes : PlanScan(map, placement_key, end)) {
    entries.push_back(stripes.size() * uint64_t{kStripeEntries});
  }
  if (const uint64_t last = end % kStripeEntries; last != 0) {
    const auto stripe = static_cast<uint32_t>(end / kStripeEntries);
    entries[ShardOfStripe(map, placement_key, stripe)] -= kStripeEntries - last;
  }
  return entries;
}

absl::Status MissingEntries(const shard::ContextState& state, uint32_t shard,
                            const ShardChannel& channel, size_t layer, uint64_t expected,
                            uint64_t end) {
  return Error(absl::StatusCode::kDataLoss, "MISSING_ENTRIES",
               absl::StrCat("shard ", shard, " at ", channel.address(), " holds ",
                            state.layer_entries[layer], " of its ", expected, " entries below ",
                            end, " of layer ", layer, " of context ", state.context_id,
                            "; it may have restarted: delete the context and append it again"),
               {{"shards", absl::StrCat(shard)}, {"layer", absl::StrCat(layer)}});
}

// That each shard holds its part of all entries below the layers' ends.
absl::Status CheckHeld(Channels channels, const cluster::ClusterMap& map,
                       const std::vector<shard::ContextState>& states,
                       const std::vector<uint64_t>& ends) {
  std::map<uint64_t, std::vector<uint64_t>> plans;  // by end: most layers end alike
  for (size_t layer = 0; layer < ends.size(); ++layer) {
    std::vector<uint64_t>& expected = plans[ends[layer]];
    if (expected.empty()) {
      expected = EntriesByShard(map, states.front().placement_key, ends[layer]);
    }
    for (uint32_t shard = 0; shard < states.size(); ++shard) {
      if (states[shard].layer_entries[layer] >= expected[shard]) continue;
      return MissingEntries(states[shard], shard, *channels[shard], layer, expected[shard],
                            ends[layer]);
    }
  }
  return absl::OkStatus();
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

bool IsGone(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  return reason == "UNKNOWN_CONTEXT" || reason == "STALE_CONTEXT";
}

std::vector<uint64_t> Incarnations(const std::vector<shard::ContextState>& states) {
  std::vector<uint64_t> incarnations;
  for (const shard::ContextState& state : states) incarnations.push_back(state.incarnation);
  return incarnations;
}

ContextInfo Combine(const std::string& context_id, const std::vector<shard::ContextState>& states,
                    absl::Time now) {
  const Profile& profile = *states.front().profile;
  ContextInfo info{.context_id = context_id,
                   .tenant = states.front().tenant,
                   .profile_fingerprint = Fingerprint(profile),
                   .durability = states.front().durability,
                   .sealed = true,
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
    info.sealed = info.sealed && state.sealed;
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

absl::StatusOr<std::vector<shard::ContextState>> DescribeOnce(Channels channels,
                                                              const ContextName& name,
                                                              absl::Time deadline) {
  if (absl::Status status = ValidateContextName(name); !status.ok()) return status;
  std::vector<Answer> answers =
      Broadcast(channels, shard::Describe{.context_id = ShardId(name)}, deadline);
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
    if (HasExpired(answers)) return UnknownContext(name);
    return Error(
        absl::StatusCode::kDataLoss, "MISSING_CONTEXT",
        absl::StrCat("shard ", lacking, " at ", channels[lacking]->address(),
                     " does not hold context ", name.context_id, " of tenant ", name.tenant,
                     " while others do; either its creation or deletion was cut short: "
                     "repeat that; or the shard has restarted without its memory: create "
                     "it again, and append what it held"),
        {{"shards", absl::StrCat(lacking)}});
  }
  absl::StatusOr<std::vector<shard::ContextState>> states =
      ResultsOf<shard::ContextState>(std::move(answers));
  if (absl::IsNotFound(states.status())) return UnknownContext(name);
  if (!states.ok()) return states;
  if (absl::Status status = CheckAlike(name, *states); !status.ok()) return status;
  return states;
}

absl::StatusOr<std::vector<shard::ContextState>> DescribeAll(Channels channels,
                                                             const ContextName& name,
                                                             absl::Time deadline) {
  auto states = DescribeOnce(channels, name, deadline);
  for (const absl::Duration pause : kPauses) {
    if (ErrorReason(states.status()) != "MISSING_CONTEXT" || absl::Now() + pause >= deadline) break;
    absl::SleepFor(pause);
    states = DescribeOnce(channels, name, deadline);
  }
  return states;
}

absl::Status CheckWhole(Channels channels, const cluster::ClusterMap& map, const ContextName& name,
                        const std::vector<shard::ContextState>& states) {
  if (absl::Status status = CheckAlike(name, states); !status.ok()) return status;
  return CheckHeld(channels, map, states, LayerEnds(states));
}

absl::StatusOr<std::vector<shard::ContextState>> DescribeWhole(Channels channels,
                                                               const cluster::ClusterMap& map,
                                                               const ContextName& name,
                                                               absl::Time deadline) {
  auto states = DescribeAll(channels, name, deadline);
  if (!states.ok()) return states;
  std::vector<uint64_t> ends = LayerEnds(*states);
  if (CheckHeld(channels, map, *states, ends).ok()) return states;
  // Some may have been asked before an append and others after it; by now all have what was below.
  states = DescribeAll(channels, name, deadline);
  if (!states.ok()) return states;
  // Or it has been made anew, with fewer entries or layers.
  const std::vector<uint64_t> ends_now = LayerEnds(*states);
  ends.resize(ends_now.size());
  for (size_t i = 0; i < ends.size(); ++i) ends[i] = std::min(ends[i], ends_now[i]);
  if (absl::Status status = CheckHeld(channels, map, *states, ends); !status.ok()) return status;
  return states;
}

}  // namespace winnow::coordinator
