#include "winnow/decode_session.h"

#include <utility>

#include "client/lib/connection.h"
#include "client/lib/messages.h"
#include "services/wire/call_stream.h"
#include "storage/error.h"

namespace winnow::client {
namespace {

struct Traits {
  using Request = v1::DecodeRequest;
  using Reply = v1::DecodeReply;
  static void SetId(Request* request, uint64_t id) { request->set_step_id(id); }
  static uint64_t Id(const Request& request) { return request.step_id(); }
  static uint64_t Id(const Reply& reply) { return reply.step_id(); }
};

absl::StatusOr<DecodeResult> FromReply(const v1::DecodeReply& reply) {
  if (reply.code() != 0) return wire::FromParts(reply.code(), reply.message(), reply.error());
  return DecodeResult{.append = FromMessage(reply.append()), .attend = FromMessage(reply.attend())};
}

absl::Status CheckStep(const DecodeStep& step) {
  if (step.count == 0 && !step.layers.empty()) {
    return InvalidField("count", "0", "at least 1 where a step has layers");
  }
  if (absl::Status status = CheckBytes(step.layers); !status.ok()) return status;
  return step.attend.has_value() ? CheckBytes(*step.attend) : absl::OkStatus();
}

}  // namespace

class DecodeSession::Impl {
 public:
  Impl(std::shared_ptr<Connection> connection, std::string context_id)
      : connection_(std::move(connection)),
        context_id_(std::move(context_id)),
        stream_({.open =
                     [this](grpc::ClientContext* context,
                            grpc::ClientBidiReactor<v1::DecodeRequest, v1::DecodeReply>* reactor) {
                       connection_->retrieval->async()->Decode(context, reactor);
                     },
                 .peer = {.name = "the service at " + connection_->address,
                          .unavailable_reason = "STREAM_BROKEN",
                          .fact = {"address", connection_->address},
                          .pass_errors_on = true}}) {}

  std::future<absl::StatusOr<DecodeResult>> Start(const DecodeStep& step) {
    if (absl::Status status = CheckStep(step); !status.ok()) {
      return Refused<DecodeResult>(std::move(status));
    }
    v1::DecodeRequest request;
    const std::string& tenant = connection_->options.tenant;
    if (step.count > 0) {
      *request.mutable_append() =
          ToMessage(tenant, context_id_, step.start_position, step.count, step.layers);
    }
    if (step.attend) *request.mutable_attend() = ToMessage(tenant, context_id_, *step.attend);
    request.set_timeout_us(absl::ToInt64Microseconds(connection_->options.timeout));
    auto promise = std::make_shared<std::promise<absl::StatusOr<DecodeResult>>>();
    std::future<absl::StatusOr<DecodeResult>> future = promise->get_future();
    stream_.Start(std::move(request), connection_->Deadline(),
                  [this, promise](absl::StatusOr<v1::DecodeReply> reply) {
                    promise->set_value(reply.ok() ? FromReply(*reply)
                                                  : connection_->Explained(reply.status()));
                  });
    return future;
  }

 private:
  const std::shared_ptr<Connection> connection_;
  const std::string context_id_;
  wire::CallStream<Traits> stream_;
};

DecodeSession::DecodeSession(std::shared_ptr<Connection> connection, std::string context_id)
    : impl_(std::make_unique<Impl>(std::move(connection), std::move(context_id))) {}

DecodeSession::~DecodeSession() = default;

absl::StatusOr<DecodeResult> DecodeSession::Run(const DecodeStep& step) {
  return Start(step).get();
}

std::future<absl::StatusOr<DecodeResult>> DecodeSession::Start(const DecodeStep& step) {
  return impl_->Start(step);
}

}  // namespace winnow::client
