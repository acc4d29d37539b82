#include "services/coordinator/coordinator.h"

#include <algorithm>

#include "services/coordinator/coordinator_impl.h"

namespace winnow::coordinator {
namespace {

constexpr size_t kMaxRoutes = 65536;

bool AllInProcess(Channels channels) {
  return std::all_of(channels.begin(), channels.end(),
                     [](const auto& channel) { return channel->in_process(); });
}

}  // namespace

Coordinator::Impl::Impl(CoordinatorParts parts)
    : map_(std::move(parts.map)),
      channels_(std::move(parts.shards)),
      all_in_process_(AllInProcess(channels_)),
      backend_(*parts.backend),
      pool_(*parts.pool),
      profiles_(parts.metadata),
      directory_(kMaxRoutes),
      maintenance_(channels_, &map_) {}

std::vector<ShardState> Coordinator::Impl::ListShards(absl::Time deadline) {
  std::vector<ShardState> states;
  for (Answer& answer : Broadcast(channels_, shard::Ping{}, deadline)) {
    const auto shard = static_cast<uint32_t>(states.size());
    ShardState state;
    state.shard = shard;
    state.address = channels_[shard]->address();
    state.slots = map_.SlotCount(shard);
    state.round_trip_us = static_cast<uint64_t>(absl::ToInt64Microseconds(answer.round_trip));
    if (!answer.result.ok()) {
      state.error = std::string(answer.result.status().message());
    } else if (auto* held = std::get_if<shard::PingResult>(&*answer.result)) {
      state.held = std::move(*held);
    } else {
      state.error = std::string(UnexpectedAnswer(shard).message());
    }
    states.push_back(std::move(state));
  }
  return states;
}

Coordinator::Coordinator(CoordinatorParts parts)
    : impl_(std::make_unique<Impl>(std::move(parts))) {}

Coordinator::~Coordinator() = default;

absl::StatusOr<std::string> Coordinator::RegisterProfile(const Profile& profile) {
  return impl_->profiles().Register(profile);
}

absl::StatusOr<std::vector<std::pair<std::string, Profile>>> Coordinator::ListProfiles() {
  return impl_->profiles().List();
}

absl::StatusOr<std::string> Coordinator::CreateContext(const ContextName& name,
                                                       const std::string& fingerprint,
                                                       absl::Time deadline,
                                                       const ContextOptions& options) {
  return impl_->CreateContext(name, fingerprint, deadline, options);
}

absl::StatusOr<std::string> Coordinator::ForkContext(const ContextName& parent, uint64_t entries,
                                                     const std::string& context_id,
                                                     absl::Time deadline, absl::Duration ttl) {
  return impl_->ForkContext(parent, entries, context_id, deadline, ttl);
}

absl::Status Coordinator::SealContext(const ContextName& name, absl::Time deadline) {
  return impl_->SealContext(name, deadline);
}

absl::Status Coordinator::DeleteContext(const ContextName& name, absl::Time deadline) {
  return impl_->DeleteContext(name, deadline);
}

absl::StatusOr<std::pair<ContextInfo, std::shared_ptr<const Profile>>> Coordinator::DescribeContext(
    const ContextName& name, absl::Time deadline) {
  return impl_->DescribeContext(name, deadline);
}

absl::StatusOr<ContextPage> Coordinator::ListContexts(const std::string& tenant,
                                                      const std::string& after, uint32_t page_size,
                                                      absl::Time deadline) {
  return impl_->ListContexts(tenant, after, page_size, deadline);
}

absl::StatusOr<AppendReply> Coordinator::Append(const AppendEntries& request, absl::Time deadline) {
  return impl_->Append(request, deadline);
}

absl::StatusOr<SelectReply> Coordinator::Select(const Query& query, absl::Time deadline) {
  return impl_->Select(query, deadline);
}

absl::StatusOr<GatherReply> Coordinator::Gather(const Query& query, absl::Time deadline) {
  return impl_->Gather(query, deadline);
}

absl::StatusOr<AttendReply> Coordinator::Attend(const AttendQuery& query, absl::Time deadline) {
  return impl_->Attend(query, deadline);
}

const Maintenance& Coordinator::maintenance() const { return impl_->maintenance(); }

std::vector<ShardState> Coordinator::ListShards(absl::Time deadline) {
  return impl_->ListShards(deadline);
}

uint64_t Coordinator::epoch() const { return impl_->epoch(); }

}  // namespace winnow::coordinator
