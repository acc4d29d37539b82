#ifndef WINNOW_SERVICES_WINNOWD_ADMIN_SERVICE_H_
#define WINNOW_SERVICES_WINNOWD_ADMIN_SERVICE_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "services/coordinator/coordinator.h"
#include "services/winnowd/call.h"
#include "winnow/v1/admin.grpc.pb.h"

namespace winnow {

// winnow.v1.Admin over a coordinator. Thread-safe.
class AdminService final : public v1::Admin::Service {
 public:
  // The coordinator and streams are borrowed; `address` is where this process serves.
  AdminService(coordinator::Coordinator* coordinator, std::string address, Streams* streams,
               absl::Duration max_deadline)
      : coordinator_(*coordinator),
        address_(std::move(address)),
        calls_(streams, max_deadline),
        pings_(streams, kPingTimeout) {}

  grpc::Status ListNodes(grpc::ServerContext* context, const v1::ListNodesRequest* request,
                         v1::ListNodesReply* reply) override;
  grpc::Status ListShards(grpc::ServerContext* context, const v1::ListShardsRequest* request,
                          v1::ListShardsReply* reply) override;
  grpc::Status SpillContext(grpc::ServerContext* context, const v1::TierRequest* request,
                            v1::TierReply* reply) override;
  grpc::Status RestoreContext(grpc::ServerContext* context, const v1::TierRequest* request,
                              v1::TierReply* reply) override;
  grpc::Status VerifyContext(grpc::ServerContext* context, const v1::TierRequest* request,
                             v1::TierReply* reply) override;
  grpc::Status SaveSnapshot(grpc::ServerContext* context, const v1::SnapshotRequest* request,
                            v1::SnapshotReply* reply) override;
  grpc::Status LoadSnapshot(grpc::ServerContext* context, const v1::SnapshotRequest* request,
                            v1::SnapshotReply* reply) override;

  grpc::Status ListTenants(grpc::ServerContext* context, const v1::ListTenantsRequest* request,
                           v1::ListTenantsReply* reply) override;
  grpc::Status ListSnapshots(grpc::ServerContext* context, const v1::ListSnapshotsRequest* request,
                             v1::ListSnapshotsReply* reply) override;

 private:
  // A shard that takes longer to answer an empty message is listed as unreachable.
  static constexpr absl::Duration kPingTimeout = absl::Seconds(1);

  grpc::Status Tier(std::string_view method, shard::TierAction action,
                    const grpc::ServerContext& context, const v1::TierRequest& request,
                    v1::TierReply* reply);

  coordinator::Coordinator& coordinator_;
  const std::string address_;
  const Calls calls_;
  const Calls pings_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_ADMIN_SERVICE_H_
