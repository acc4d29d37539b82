#ifndef WINNOW_SERVICES_WINNOWD_CONTEXTS_SERVICE_H_
#define WINNOW_SERVICES_WINNOWD_CONTEXTS_SERVICE_H_

#include "absl/time/time.h"
#include "services/coordinator/coordinator.h"
#include "services/winnowd/call.h"
#include "services/winnowd/streams.h"
#include "winnow/v1/contexts.grpc.pb.h"

namespace winnow {

// winnow.v1.Contexts over a coordinator. Thread-safe.
class ContextsService final : public v1::Contexts::Service {
 public:
  // Both are borrowed.
  ContextsService(coordinator::Coordinator* coordinator, Streams* streams,
                  absl::Duration max_deadline)
      : coordinator_(*coordinator), streams_(streams), calls_(streams, max_deadline) {}

  grpc::Status RegisterProfile(grpc::ServerContext* context,
                               const v1::RegisterProfileRequest* request,
                               v1::RegisterProfileReply* reply) override;
  grpc::Status ListProfiles(grpc::ServerContext* context, const v1::ListProfilesRequest* request,
                            v1::ListProfilesReply* reply) override;
  grpc::Status CreateContext(grpc::ServerContext* context, const v1::CreateContextRequest* request,
                             v1::CreateContextReply* reply) override;
  grpc::Status AppendEntries(grpc::ServerContext* context, const v1::AppendEntriesRequest* request,
                             v1::AppendEntriesReply* reply) override;
  grpc::Status AppendStream(grpc::ServerContext* context,
                            grpc::ServerReader<v1::AppendEntriesRequest>* reader,
                            v1::AppendEntriesReply* reply) override;
  grpc::Status ForkContext(grpc::ServerContext* context, const v1::ForkContextRequest* request,
                           v1::ForkContextReply* reply) override;
  grpc::Status SealContext(grpc::ServerContext* context, const v1::SealContextRequest* request,
                           v1::SealContextReply* reply) override;
  grpc::Status DescribeContext(grpc::ServerContext* context,
                               const v1::DescribeContextRequest* request,
                               v1::DescribeContextReply* reply) override;
  grpc::Status ListContexts(grpc::ServerContext* context, const v1::ListContextsRequest* request,
                            v1::ListContextsReply* reply) override;
  grpc::Status DeleteContext(grpc::ServerContext* context, const v1::DeleteContextRequest* request,
                             v1::DeleteContextReply* reply) override;
  grpc::Status RenewLease(grpc::ServerContext* context, const v1::RenewLeaseRequest* request,
                          v1::RenewLeaseReply* reply) override;
  grpc::Status PinContext(grpc::ServerContext* context, const v1::PinContextRequest* request,
                          v1::PinContextReply* reply) override;

 private:
  coordinator::Coordinator& coordinator_;
  Streams* const streams_;
  const Calls calls_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_CONTEXTS_SERVICE_H_
