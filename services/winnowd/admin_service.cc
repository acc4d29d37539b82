#include "services/winnowd/admin_service.h"

#include "services/winnowd/call.h"
#include "services/wire/admin_messages.h"
#include "services/wire/fields.h"
#include "storage/version.h"

namespace winnow {
namespace {

// A shard that takes longer to answer an empty message is listed as unreachable.
constexpr absl::Duration kPingTimeout = absl::Seconds(1);

}  // namespace

grpc::Status AdminService::ListNodes(grpc::ServerContext* context, const v1::ListNodesRequest*,
                                     v1::ListNodesReply* reply) {
  v1::ListNodesReply::Node* self = reply->add_nodes();
  self->set_name("coordinator");
  self->set_address(address_);
  self->set_reachable(true);
  self->set_version(kVersion);
  for (const coordinator::ShardState& shard :
       coordinator_.ListShards(CallDeadline(*context, kPingTimeout))) {
    *reply->add_nodes() = wire::ToNode(shard);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::ListShards(grpc::ServerContext* context, const v1::ListShardsRequest*,
                                      v1::ListShardsReply* reply) {
  for (const coordinator::ShardState& shard :
       coordinator_.ListShards(CallDeadline(*context, kPingTimeout))) {
    *reply->add_shards() = wire::FromShardState(shard);
  }
  reply->set_epoch(coordinator_.epoch());
  return grpc::Status::OK;
}

grpc::Status AdminService::Tier(std::string_view method, shard::TierAction action,
                                const grpc::ServerContext& context, const v1::TierRequest& request,
                                v1::TierReply* reply) {
  absl::StatusOr<coordinator::TierRequest> tier = wire::ToTier(action, request);
  if (!tier.ok()) return Finish(method, tier.status());
  absl::StatusOr<coordinator::TierReply> done =
      coordinator_.maintenance().Tier(*tier, CallDeadline(context, max_deadline_));
  if (done.ok()) *reply = wire::FromReply(*done);
  return Finish(method, done.status());
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
  absl::StatusOr<coordinator::SnapshotRequest> snapshot = wire::ToSnapshot(*request);
  if (!snapshot.ok()) return Finish("SaveSnapshot", snapshot.status());
  absl::StatusOr<coordinator::SnapshotReply> saved =
      coordinator_.maintenance().SaveSnapshot(*snapshot, CallDeadline(*context, max_deadline_));
  if (saved.ok()) *reply = wire::FromReply(*saved);
  return Finish("SaveSnapshot", saved.status());
}

grpc::Status AdminService::LoadSnapshot(grpc::ServerContext* context,
                                        const v1::SnapshotRequest* request,
                                        v1::SnapshotReply* reply) {
  absl::StatusOr<coordinator::SnapshotRequest> snapshot = wire::ToSnapshot(*request);
  if (!snapshot.ok()) return Finish("LoadSnapshot", snapshot.status());
  absl::StatusOr<coordinator::SnapshotReply> loaded =
      coordinator_.maintenance().LoadSnapshot(*snapshot, CallDeadline(*context, max_deadline_));
  if (loaded.ok()) *reply = wire::FromReply(*loaded);
  return Finish("LoadSnapshot", loaded.status());
}

grpc::Status AdminService::ListTenants(grpc::ServerContext* context, const v1::ListTenantsRequest*,
                                       v1::ListTenantsReply* reply) {
  absl::StatusOr<std::vector<std::string>> tenants =
      coordinator_.maintenance().ListTenants(CallDeadline(*context, max_deadline_));
  if (tenants.ok()) reply->mutable_tenants()->Assign(tenants->begin(), tenants->end());
  return Finish("ListTenants", tenants.status());
}

grpc::Status AdminService::ListSnapshots(grpc::ServerContext* context,
                                         const v1::ListSnapshotsRequest* request,
                                         v1::ListSnapshotsReply* reply) {
  absl::Status status = wire::CheckDirectory(request->directory());
  if (!status.ok()) return Finish("ListSnapshots", status);
  absl::StatusOr<std::vector<coordinator::ContextName>> snapshots =
      coordinator_.maintenance().ListSnapshots(request->directory(),
                                               CallDeadline(*context, max_deadline_));
  if (snapshots.ok()) *reply = wire::FromSnapshots(*snapshots);
  return Finish("ListSnapshots", snapshots.status());
}

}  // namespace winnow
