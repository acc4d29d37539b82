#ifndef WINNOW_SERVICES_WINNOWD_ADMIN_SERVICE_H_
#define WINNOW_SERVICES_WINNOWD_ADMIN_SERVICE_H_

#include <string>

#include "services/coordinator/coordinator.h"
#include "winnow/v1/admin.grpc.pb.h"

namespace winnow {

// winnow.v1.Admin over a coordinator. Thread-safe.
class AdminService final : public v1::Admin::Service {
 public:
  // The coordinator is borrowed; `address` is where this process serves.
  AdminService(coordinator::Coordinator* coordinator, std::string address)
      : coordinator_(*coordinator), address_(std::move(address)) {}

  grpc::Status ListNodes(grpc::ServerContext* context, const v1::ListNodesRequest* request,
                         v1::ListNodesReply* reply) override;
  grpc::Status ListShards(grpc::ServerContext* context, const v1::ListShardsRequest* request,
                          v1::ListShardsReply* reply) override;

 private:
  coordinator::Coordinator& coordinator_;
  const std::string address_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_ADMIN_SERVICE_H_
