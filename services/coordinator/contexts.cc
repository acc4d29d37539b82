#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/coordinator/coordinator_impl.h"
#include "services/coordinator/describe.h"
#include "services/coordinator/validate.h"
#include "storage/context_id.h"

namespace winnow::coordinator {
namespace {

// A lease that ends by then is over for one who makes a context: shards whose clocks differ may
// have freed their parts already. Short leases are not over as soon as they begin.
absl::Time StaleBefore(absl::Time now, absl::Duration ttl) {
  return now + std::min(kClockSkew, ttl / 2);
}

// Deletes what was made for a caller who does not know its id, so that nobody else could. Waits for
// no other process: the caller's time may be over.
void DeleteUnnamed(Channels channels, const std::string& shard_id) {
  constexpr absl::Duration kTime = absl::Seconds(10);
  for (const auto& channel : channels) {
    channel->Start(shard::DeleteContext{.context_id = shard_id, .any_incarnation = true},
                   absl::Now() + kTime, [](auto) {});
  }
}

// As the shards listed it, with what is lost of it. NOT_FOUND if it is gone by now.
absl::StatusOr<ContextInfo> ListedContext(Channels channels, const cluster::ClusterMap& map,
                                          const ContextName& name,
                                          std::vector<shard::ContextState> listed, absl::Time now,
                                          absl::Time deadline) {
  if (listed.size() == channels.size() && CheckWhole(channels, map, name, listed).ok()) {
    return Combine(name.context_id, listed, now);
  }
  // It is being made or deleted or appended to while the shards are asked, or a part is lost. One
  // more look has to do: there may be many.
  const absl::StatusOr<std::vector<shard::ContextState>> states =
      DescribeOnce(channels, name, deadline);
  const absl::Status whole =
      states.ok() ? CheckWhole(channels, map, name, *states) : states.status();
  if (whole.ok()) return Combine(name.context_id, *states, now);
  if (!absl::IsDataLoss(whole)) return whole;
  const std::shared_ptr<const Profile> profile = listed.front().profile;
  std::erase_if(listed, [&profile](const auto& state) { return *state.profile != *profile; });
  ContextInfo info = Combine(name.context_id, listed, now);
  info.damage = std::string(whole.message());
  return info;
}

}  // namespace

absl::StatusOr<std::vector<shard::ContextState>> Coordinator::Impl::DescribeAll(
    const ContextRoute& route, absl::Time deadline) {
  absl::StatusOr<std::vector<shard::ContextState>> states =
      coordinator::DescribeAll(channels_, route.name, deadline);
  if (!states.ok() || Incarnations(*states) == route.incarnations) return states;
  return Error(absl::StatusCode::kFailedPrecondition, "STALE_CONTEXT",
               absl::StrCat("context ", route.shard_id, " has been made anew"));
}

absl::StatusOr<std::shared_ptr<const ContextRoute>> Coordinator::Impl::LookUp(
    const ContextName& name, absl::Time deadline) {
  absl::StatusOr<std::vector<shard::ContextState>> states =
      coordinator::DescribeAll(channels_, name, deadline);
  if (!states.ok()) return states.status();
  auto route = std::make_shared<const ContextRoute>(
      ContextRoute{.name = name,
                   .shard_id = ShardId(name),
                   .profile = states->front().profile,
                   .placement_key = states->front().placement_key,
                   .incarnations = Incarnations(*states)});
  directory_.Insert(route);
  return route;
}

absl::StatusOr<std::string> Coordinator::Impl::CreateContext(const ContextName& name,
                                                             const std::string& fingerprint,
                                                             absl::Time deadline,
                                                             const ContextOptions& options) {
  ContextName chosen = name;
  const bool service_chooses = name.context_id.empty();
  if (service_chooses) chosen.context_id = RandomContextId();
  if (absl::Status status = ValidateContextName(chosen); !status.ok()) return status;
  absl::StatusOr<Profile> profile = profiles_.Find(fingerprint);
  if (!profile.ok()) return profile.status();
  const std::string shard_id = ShardId(chosen);
  const absl::Time now = absl::Now();
  const std::vector<shard::Call> calls(
      channels_.size(),
      shard::CreateContext{.context_id = shard_id,
                           .tenant = chosen.tenant,
                           .profile = std::make_shared<const Profile>(*std::move(profile)),
                           .placement_key = cluster::PlacementKey(shard_id),
                           .durability = options.durability,
                           .expires_at = now + options.ttl,
                           .stale_before = StaleBefore(now, options.ttl)});
  const absl::Status status = Change(channels_, calls, deadline);
  if (service_chooses) {
    if (status.ok()) return chosen.context_id;
    DeleteUnnamed(channels_, shard_id);
  }
  if (!status.ok()) return status;
  // A shard that has lost its part has made an empty one, and says so no more than the others.
  const absl::Status whole = DescribeWhole(channels_, map_, chosen, deadline).status();
  if (absl::IsDataLoss(whole)) return whole;
  return chosen.context_id;
}

absl::StatusOr<std::string> Coordinator::Impl::ForkContext(const ContextName& parent,
                                                           uint64_t entries,
                                                           const std::string& context_id,
                                                           absl::Time deadline,
                                                           absl::Duration ttl) {
  ContextName fork{.tenant = parent.tenant, .context_id = context_id};
  const bool service_chooses = context_id.empty();
  if (service_chooses) fork.context_id = RandomContextId();
  if (absl::Status status = ValidateContextName(fork); !status.ok()) return status;
  auto states = DescribeWhole(channels_, map_, parent, deadline);
  if (!states.ok()) return states.status();
  const absl::Time now = absl::Now();
  const uint64_t held = Combine(parent.context_id, *states, now).entries;
  if (entries > held) {
    return Error(absl::StatusCode::kOutOfRange, "FORK_PAST_END",
                 absl::StrCat("fork of ", entries, " entries, but context ", parent.context_id,
                              " has ", held),
                 {{"entries", absl::StrCat(held)}});
  }
  const shard::ForkContext call = {.context_id = ShardId(fork),
                                   .parent_context_id = ShardId(parent),
                                   .entries = entries,
                                   .expires_at = now + ttl,
                                   .stale_before = StaleBefore(now, ttl)};
  const absl::Status status = Change(channels_, ToParts(call, Incarnations(*states)), deadline);
  if (status.ok()) return fork.context_id;
  if (service_chooses) DeleteUnnamed(channels_, ShardId(fork));
  return IsGone(status) ? UnknownContext(parent) : status;
}

absl::Status Coordinator::Impl::SealContext(const ContextName& name, absl::Time deadline) {
  const auto seal = [&](const ContextRoute& route) -> absl::StatusOr<shard::Done> {
    const shard::SealContext call = {.context_id = route.shard_id};
    absl::Status status = Change(channels_, ToParts(call, route.incarnations), deadline);
    if (!status.ok()) return status;
    return shard::Done{};
  };
  return WithRoute(name, deadline, seal).status();
}

absl::Status Coordinator::Impl::DeleteContext(const ContextName& name, absl::Time deadline) {
  if (absl::Status status = ValidateContextName(name); !status.ok()) return status;
  const std::string shard_id = ShardId(name);
  directory_.Erase(shard_id);
  absl::Status failure;
  // A shard that does not hold it, or not any more, is where a repeated call should be.
  const auto note_failure = [&failure](const Answer& answer) {
    if (!answer.result.ok() && !IsGone(answer.result.status())) {
      failure.Update(answer.result.status());
    }
  };
  // A shard that hangs must leave time to delete what the others have.
  const absl::Time now = absl::Now();
  const absl::Time halfway = now + (deadline - now) / 2;
  // [shards] 0, which no part has, where there is none: one that is made from now on stays.
  std::vector<uint64_t> incarnations;
  for (const Answer& answer :
       Broadcast(channels_, shard::Describe{.context_id = shard_id}, halfway)) {
    note_failure(answer);
    const auto* state =
        answer.result.ok() ? std::get_if<shard::ContextState>(&*answer.result) : nullptr;
    incarnations.push_back(state == nullptr ? 0 : state->incarnation);
  }
  bool existed = false;
  for (const Answer& answer :
       CallAll(channels_, ToParts(shard::DeleteContext{.context_id = shard_id}, incarnations),
               deadline)) {
    existed |= answer.result.ok();
    note_failure(answer);
  }
  if (!failure.ok()) return failure;
  return existed ? absl::OkStatus() : UnknownContext(name);
}

absl::StatusOr<std::pair<ContextInfo, std::shared_ptr<const Profile>>>
Coordinator::Impl::DescribeContext(const ContextName& name, absl::Time deadline) {
  absl::StatusOr<std::vector<shard::ContextState>> states =
      DescribeWhole(channels_, map_, name, deadline);
  if (!states.ok()) return states.status();
  return std::make_pair(Combine(name.context_id, *states, absl::Now()), states->front().profile);
}

absl::StatusOr<ContextPage> Coordinator::Impl::ListContexts(const std::string& tenant,
                                                            const std::string& after,
                                                            uint32_t page_size,
                                                            absl::Time deadline) {
  if (absl::Status status = ValidateName("tenant", tenant); !status.ok()) return status;
  if (!after.empty()) {
    if (absl::Status status = ValidateName("after", after); !status.ok()) return status;
  }
  const std::string prefix = tenant + "/";
  const uint32_t limit = page_size + 1;  // one more than the page tells whether there is another
  absl::StatusOr<std::vector<shard::ListContextsResult>> results =
      ResultsOf<shard::ListContextsResult>(Broadcast(
          channels_, shard::ListContexts{.tenant = tenant, .after = prefix + after, .limit = limit},
          deadline));
  if (!results.ok()) return results.status();
  // A shard that sent as many as it may can hold more; past its last id it has not been heard.
  std::string heard_until;
  std::map<std::string, std::vector<shard::ContextState>> by_id;
  for (shard::ListContextsResult& result : *results) {
    std::string last;
    for (shard::ContextState& state : result.contexts) {
      if (!state.context_id.starts_with(prefix)) continue;
      last = state.context_id.substr(prefix.size());
      by_id[last].push_back(std::move(state));
    }
    if (result.contexts.size() < limit) continue;
    heard_until = heard_until.empty() ? last : std::min(heard_until, last);
  }
  const absl::Time now = absl::Now();
  ContextPage page{.next = heard_until};
  for (auto& [id, states] : by_id) {
    if (!heard_until.empty() && id > heard_until) break;
    if (page.contexts.size() == page_size) {
      page.next = page.contexts.back().context_id;
      break;
    }
    absl::StatusOr<ContextInfo> info = ListedContext(
        channels_, map_, {.tenant = tenant, .context_id = id}, std::move(states), now, deadline);
    if (absl::IsNotFound(info.status())) continue;
    if (!info.ok()) return info.status();
    page.contexts.push_back(*std::move(info));
  }
  return page;
}

}  // namespace winnow::coordinator
