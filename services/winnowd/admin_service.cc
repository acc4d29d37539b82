#include "services/winnowd/admin_service.h"

#include "services/wire/admin_messages.h"
#include "services/wire/fields.h"
#include "storage/version.h"

namespace winnow {
grpc::Status AdminService::ListNodes(grpc::ServerContext* context,
                                     const v1::ListNodesRequest* request,
                                     v1::ListNodesReply* reply) {
  return pings_.Serve("ListNodes", *context, *request, [&](absl::Time deadline) {
    v1::ListNodesReply::Node* self = reply->add_nodes();
    self->set_name("coordinator");
    self->set_address(address_);
    self->set_reachable(true);
    self->set_version(kVersion);
    for (const coordinator::ShardState& shard : coordinator_.ListShards(deadline)) {
      *reply->add_nodes() = wire::ToNode(shard);
    }
    return absl::OkStatus();
  });
}

grpc::Status AdminService::ListShards(grpc::ServerContext* context,
                                      const v1::ListShardsRequest* request,
                                      v1::ListShardsReply* reply) {
  return pings_.Serve("ListShards", *context, *request, [&](absl::Time deadline) {
    for (const coordinator::ShardState& shard : coordinator_.ListShards(deadline)) {
      *reply->add_shards() = wire::FromShardState(shard);
    }
    reply->set_epoch(coordinator_.epoch());
    return absl::OkStatus();
  });
}

grpc::Status AdminService::Tier(std::string_view method, shard::TierAction action,
                                const grpc::ServerContext& context, const v1::TierRequest& request,
                                v1::TierReply* reply) {
  return calls_.Serve(method, context, request, [&](absl::Time deadline) -> absl::Status {
    absl::StatusOr<coordinator::TierRequest> tier = wire::ToTier(action, request);
    if (!tier.ok()) return tier.status();
    absl::StatusOr<coordinator::TierReply> done = coordinator_.maintenance().Tier(*tier, deadline);
    if (done.ok()) *reply = wire::FromReply(*done);
    return done.status();
  });
}

grpc::Status AdminService::SpillContext(grpc::ServerContext* context,
                                        const v1::TierRequest* request, v1::TierReply* reply) {
  return Tier("SpillContext", shard::TierAction::kSpill, *context, *request, reply);
}

grpc::Status AdminService::RestoreContext(grpc::ServerContext* context,
                                          const v1::TierRequest* request, v1::TierReply* reply) {
  return Tier("RestoreContext", shard::TierAction::kRestore, *context, *request, reply);
}

grpc::Status AdminService::VerifyContext(grpc::ServerContext* context,
                                         const v1::TierRequest* request, v1::TierReply* reply) {
  return Tier("VerifyContext", shard::TierAction::kVerify, *context, *request, reply);
}

grpc::Status AdminService::SaveSnapshot(grpc::ServerContext* context,
                                        const v1::SnapshotRequest* request,
                                        v1::SnapshotReply* reply) {
  return calls_.Serve("SaveSnapshot", *context, *request, [&](absl::Time deadline) -> absl::Status {
    absl::StatusOr<coordinator::SnapshotRequest> snapshot = wire::ToSnapshot(*request);
    if (!snapshot.ok()) return snapshot.status();
    absl::StatusOr<coordinator::SnapshotReply> saved =
        coordinator_.maintenance().SaveSnapshot(*snapshot, deadline);
    if (saved.ok()) *reply = wire::FromReply(*saved);
    return saved.status();
  });
}

grpc::Status AdminService::LoadSnapshot(grpc::ServerContext* context,
                                        const v1::SnapshotRequest* request,
                                        v1::SnapshotReply* reply) {
  return calls_.Serve("LoadSnapshot", *context, *request, [&](absl::Time deadline) -> absl::Status {
    absl::StatusOr<coordinator::SnapshotRequest> snapshot = wire::ToSnapshot(*request);
    if (!snapshot.ok()) return snapshot.status();
    absl::StatusOr<coordinator::SnapshotReply> loaded =
        coordinator_.maintenance().LoadSnapshot(*snapshot, deadline);
    if (loaded.ok()) *reply = wire::FromReply(*loaded);
    return loaded.status();
  });
}

grpc::Status AdminService::ListTenants(grpc::ServerContext* context,
                                       const v1::ListTenantsRequest* request,
                                       v1::ListTenantsReply* reply) {
  return calls_.Serve("ListTenants", *context, *request, [&](absl::Time deadline) {
    absl::StatusOr<std::vector<std::string>> tenants =
        coordinator_.maintenance().ListTenants(deadline);
    if (tenants.ok()) reply->mutable_tenants()->Assign(tenants->begin(), tenants->end());
    return tenants.status();
  });
}

grpc::Status AdminService::ListSnapshots(grpc::ServerContext* context,
                                         const v1::ListSnapshotsRequest* request,
                                         v1::ListSnapshotsReply* reply) {
  return calls_.Serve(
      "ListSnapshots", *context, *request, [&](absl::Time deadline) -> absl::Status {
        absl::Status status = wire::CheckDirectory(request->directory());
        if (!status.ok()) return status;
        absl::StatusOr<std::vector<coordinator::ContextName>> snapshots =
            coordinator_.maintenance().ListSnapshots(request->directory(), deadline);
        if (snapshots.ok()) *reply = wire::FromSnapshots(*snapshots);
        return snapshots.status();
      });
}

}  // namespace winnow
