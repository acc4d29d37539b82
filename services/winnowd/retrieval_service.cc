#include "services/winnowd/retrieval_service.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "services/winnowd/call.h"
#include "services/wire/requests.h"
#include "services/wire/status.h"

namespace winnow {
namespace {

constexpr uint64_t kMaxTimeoutUs = INT64_MAX;

absl::Duration StepTimeout(const v1::DecodeRequest& request, absl::Duration max_deadline) {
  if (request.timeout_us() == 0 || request.timeout_us() > kMaxTimeoutUs) return max_deadline;
  return std::min(max_deadline,
                  AnswerWithin(absl::Microseconds(static_cast<int64_t>(request.timeout_us()))));
}

CallSubject SubjectOfStep(const v1::DecodeRequest& request) {
  switch (request.query_case()) {
    case v1::DecodeRequest::kSelect:
      return SubjectOf(request.select());
    case v1::DecodeRequest::kGather:
      return SubjectOf(request.gather());
    case v1::DecodeRequest::kAttend:
      return SubjectOf(request.attend());
    case v1::DecodeRequest::QUERY_NOT_SET:
      break;
  }
  return SubjectOf(request.append());
}

}  // namespace

absl::Status RetrievalService::Answer(const v1::SelectRequest& request, absl::Time deadline,
                                      v1::SelectReply* reply) {
  absl::StatusOr<coordinator::Query> query = wire::ToQuery(request);
  if (!query.ok()) return query.status();
  absl::StatusOr<coordinator::SelectReply> answer = coordinator_.Select(*query, deadline);
  if (answer.ok()) wire::FromReply(*answer, reply);
  return answer.status();
}

absl::Status RetrievalService::Answer(const v1::GatherRequest& request, absl::Time deadline,
                                      v1::GatherReply* reply) {
  absl::StatusOr<coordinator::Query> query = wire::ToQuery(request);
  if (!query.ok()) return query.status();
  absl::StatusOr<coordinator::GatherReply> answer = coordinator_.Gather(*query, deadline);
  if (answer.ok()) wire::FromReply(*std::move(answer), reply);
  return answer.status();
}

absl::Status RetrievalService::Answer(const v1::AttendRequest& request, absl::Time deadline,
                                      v1::AttendReply* reply) {
  absl::StatusOr<coordinator::AttendQuery> query = wire::ToQuery(request);
  if (!query.ok()) return query.status();
  absl::StatusOr<coordinator::AttendReply> answer = coordinator_.Attend(*query, deadline);
  if (answer.ok()) wire::FromReply(*answer, reply);
  return answer.status();
}

grpc::Status RetrievalService::Select(grpc::ServerContext* context,
                                      const v1::SelectRequest* request, v1::SelectReply* reply) {
  return calls_.Serve("Select", *context, *request,
                      [&](absl::Time deadline) { return Answer(*request, deadline, reply); });
}

grpc::Status RetrievalService::Gather(grpc::ServerContext* context,
                                      const v1::GatherRequest* request, v1::GatherReply* reply) {
  return calls_.Serve("Gather", *context, *request,
                      [&](absl::Time deadline) { return Answer(*request, deadline, reply); });
}

grpc::Status RetrievalService::Attend(grpc::ServerContext* context,
                                      const v1::AttendRequest* request, v1::AttendReply* reply) {
  return calls_.Serve("Attend", *context, *request,
                      [&](absl::Time deadline) { return Answer(*request, deadline, reply); });
}

absl::Status RetrievalService::AnswerStep(const v1::DecodeRequest& request, absl::Time deadline,
                                          v1::DecodeReply* reply) {
  if (request.has_append()) {
    absl::StatusOr<coordinator::AppendReply> end =
        coordinator_.Append(wire::ToAppend(request.append()), deadline);
    if (!end.ok()) return end.status();
    wire::FromAppendReply(*end, reply->mutable_append());
  }
  switch (request.query_case()) {
    case v1::DecodeRequest::kSelect:
      return Answer(request.select(), deadline, reply->mutable_select());
    case v1::DecodeRequest::kGather:
      return Answer(request.gather(), deadline, reply->mutable_gather());
    case v1::DecodeRequest::kAttend:
      return Answer(request.attend(), deadline, reply->mutable_attend());
    case v1::DecodeRequest::QUERY_NOT_SET:
      break;
  }
  return absl::OkStatus();
}

grpc::Status RetrievalService::Decode(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::DecodeReply, v1::DecodeRequest>* stream) {
  Streams::Stream registered(streams_, context);
  if (registered.refused()) return wire::ToGrpc(Streams::Refusal());
  v1::DecodeRequest request;
  while (stream->Read(&request)) {
    if (!registered.BeginWork()) return wire::ToGrpc(Streams::Refusal());
    v1::DecodeReply reply;
    const absl::Status status =
        AnswerStep(request, CallDeadline(*context, StepTimeout(request, max_deadline_)), &reply);
    reply.set_step_id(request.step_id());
    if (!status.ok()) {
      LogFailure("Decode", status, SubjectOfStep(request), LevelOf(status));
      reply.clear_reply();
      wire::SetStatus(status, &reply);
    }
    const bool written = stream->Write(reply);
    if (!registered.EndWork()) {
      return wire::ToGrpc(Streams::Refusal());
    }
    if (!written) break;
  }
  return grpc::Status::OK;
}

}  // namespace winnow
