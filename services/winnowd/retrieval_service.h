#ifndef WINNOW_SERVICES_WINNOWD_RETRIEVAL_SERVICE_H_
#define WINNOW_SERVICES_WINNOWD_RETRIEVAL_SERVICE_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/coordinator/coordinator.h"
#include "services/winnowd/call.h"
#include "services/winnowd/streams.h"
#include "winnow/v1/retrieval.grpc.pb.h"

namespace winnow {

// winnow.v1.Retrieval over a coordinator. Thread-safe.
class RetrievalService final : public v1::Retrieval::Service {
 public:
  // Both are borrowed.
  RetrievalService(coordinator::Coordinator* coordinator, Streams* streams,
                   absl::Duration max_deadline)
      : coordinator_(*coordinator),
        streams_(streams),
        max_deadline_(max_deadline),
        calls_(streams, max_deadline) {}

  grpc::Status Select(grpc::ServerContext* context, const v1::SelectRequest* request,
                      v1::SelectReply* reply) override;
  grpc::Status Gather(grpc::ServerContext* context, const v1::GatherRequest* request,
                      v1::GatherReply* reply) override;
  grpc::Status Attend(grpc::ServerContext* context, const v1::AttendRequest* request,
                      v1::AttendReply* reply) override;
  grpc::Status Decode(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::DecodeReply, v1::DecodeRequest>* stream) override;

 private:
  absl::Status Answer(const v1::SelectRequest& request, absl::Time deadline,
                      v1::SelectReply* reply);
  absl::Status Answer(const v1::GatherRequest& request, absl::Time deadline,
                      v1::GatherReply* reply);
  absl::Status Answer(const v1::AttendRequest& request, absl::Time deadline,
                      v1::AttendReply* reply);
  // The append of a step, then its query.
  absl::Status AnswerStep(const v1::DecodeRequest& request, absl::Time deadline,
                          v1::DecodeReply* reply);

  coordinator::Coordinator& coordinator_;
  Streams* const streams_;
  const absl::Duration max_deadline_;
  const Calls calls_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_RETRIEVAL_SERVICE_H_
