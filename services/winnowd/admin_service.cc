#include "services/winnowd/admin_service.h"

#include "services/winnowd/call.h"
#include "services/wire/requests.h"
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

}  // namespace winnow
