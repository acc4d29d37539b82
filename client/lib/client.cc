#include "winnow/client.h"

#include <utility>

#include "client/lib/connection.h"
#include "client/lib/context_life.h"
#include "client/lib/messages.h"
#include "services/wire/fields.h"
#include "services/wire/profile.h"
#include "storage/context_id.h"

namespace winnow::client {
namespace {

absl::StatusOr<Context> Open(const std::shared_ptr<Connection>& connection,
                             const std::string& context_id, absl::Time deadline) {
  v1::DescribeContextRequest request;
  v1::DescribeContextReply reply;
  request.set_tenant(connection->options.tenant);
  request.set_context_id(context_id);
  const absl::Status status = connection->Call(deadline, [&](grpc::ClientContext* context) {
    return connection->contexts->DescribeContext(context, request, &reply);
  });
  if (!status.ok()) return status;
  absl::StatusOr<Profile> profile = wire::ToProfile(reply.profile());
  if (!profile.ok()) return profile.status();
  return Context(connection, context_id, std::make_shared<const Profile>(*std::move(profile)));
}

}  // namespace

Client::Client(const std::string& address, ClientOptions options)
    : connection_(std::make_shared<Connection>(address, std::move(options))) {}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

absl::StatusOr<std::string> Client::RegisterProfile(const Profile& profile) {
  v1::RegisterProfileRequest request;
  v1::RegisterProfileReply reply;
  *request.mutable_profile() = wire::FromProfile(profile);
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->RegisterProfile(context, request, &reply);
  });
  if (!status.ok()) return status;
  return reply.fingerprint();
}

absl::StatusOr<std::vector<RegisteredProfile>> Client::ListProfiles() {
  v1::ListProfilesReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->ListProfiles(context, {}, &reply);
  });
  if (!status.ok()) return status;
  std::vector<RegisteredProfile> profiles;
  for (const v1::ListProfilesReply::Item& item : reply.profiles()) {
    absl::StatusOr<Profile> profile = wire::ToProfile(item.profile());
    if (!profile.ok()) return profile.status();
    profiles.push_back({item.fingerprint(), *std::move(profile)});
  }
  return profiles;
}

absl::StatusOr<Context> Client::CreateContext(const std::string& profile_fingerprint,
                                              const std::string& context_id,
                                              const ContextOptions& options) {
  // Drawn here, so that what a lost reply has left can be named.
  const bool drawn = context_id.empty();
  const std::string id = drawn ? RandomContextId() : context_id;
  const absl::Time deadline = connection_->Deadline();
  v1::CreateContextRequest request;
  v1::CreateContextReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_profile_fingerprint(profile_fingerprint);
  request.set_context_id(id);
  request.set_durability(wire::FromDurability(options.durability));
  request.set_ttl_ms(wire::FromDuration(options.ttl));
  const absl::Status status = connection_->Call(deadline, [&](grpc::ClientContext* context) {
    return connection_->contexts->CreateContext(context, request, &reply);
  });
  absl::StatusOr<Context> created = status.ok() ? Open(connection_, id, deadline) : status;
  if (drawn && !created.ok()) DeleteUnnamed(connection_, id);
  return created;
}

absl::StatusOr<Context> Client::OpenContext(const std::string& context_id) {
  return Open(connection_, context_id, connection_->Deadline());
}

Context Client::UseContext(const std::string& context_id, const Profile& profile) {
  return Context(connection_, context_id, std::make_shared<const Profile>(profile));
}

absl::Status Client::DeleteContext(const std::string& context_id) {
  return client::DeleteContext(*connection_, context_id);
}

absl::StatusOr<std::vector<ContextInfo>> Client::ListContexts() {
  std::vector<ContextInfo> contexts;
  v1::ListContextsRequest request;
  request.set_tenant(connection_->options.tenant);
  const absl::Time deadline = connection_->Deadline();
  do {
    v1::ListContextsReply reply;
    const absl::Status status = connection_->Call(deadline, [&](grpc::ClientContext* context) {
      return connection_->contexts->ListContexts(context, request, &reply);
    });
    if (!status.ok()) return status;
    for (const v1::ContextInfo& info : reply.contexts()) contexts.push_back(FromMessage(info));
    request.set_after(reply.next());
  } while (!request.after().empty());
  return contexts;
}

absl::StatusOr<SnapshotResult> Client::LoadSnapshot(const std::string& context_id,
                                                    const std::string& directory,
                                                    const StripeRange& range) {
  const v1::SnapshotRequest request =
      ToMessage(connection_->options.tenant, context_id, directory, range);
  v1::SnapshotReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->LoadSnapshot(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

absl::StatusOr<std::vector<ContextName>> Client::ListSnapshots(const std::string& directory) {
  v1::ListSnapshotsRequest request;
  v1::ListSnapshotsReply reply;
  request.set_directory(directory);
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->ListSnapshots(context, request, &reply);
  });
  if (!status.ok()) return status;
  std::vector<ContextName> snapshots;
  for (const auto& snapshot : reply.snapshots()) {
    snapshots.push_back({.tenant = snapshot.tenant(), .context_id = snapshot.context_id()});
  }
  return snapshots;
}

absl::StatusOr<std::vector<std::string>> Client::ListTenants() {
  v1::ListTenantsReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->ListTenants(context, {}, &reply);
  });
  if (!status.ok()) return status;
  return std::vector<std::string>(reply.tenants().begin(), reply.tenants().end());
}

absl::StatusOr<std::vector<NodeInfo>> Client::ListNodes() {
  v1::ListNodesReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->ListNodes(context, {}, &reply);
  });
  if (!status.ok()) return status;
  std::vector<NodeInfo> nodes;
  for (const auto& node : reply.nodes()) nodes.push_back(FromMessage(node));
  return nodes;
}

absl::StatusOr<std::vector<ShardInfo>> Client::ListShards() {
  v1::ListShardsReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->ListShards(context, {}, &reply);
  });
  if (!status.ok()) return status;
  std::vector<ShardInfo> shards;
  for (const auto& shard : reply.shards()) shards.push_back(FromMessage(shard));
  return shards;
}

}  // namespace winnow::client
