#ifndef WINNOW_SERVICES_WIRE_STATUS_H_
#define WINNOW_SERVICES_WIRE_STATUS_H_

#include <string_view>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"
#include "services/wire/utf8.h"
#include "winnow/v1/types.pb.h"

// Statuses on the wire. The code and message are gRPC's own; the reason and facts of
// storage/error.h travel as an ErrorInfo.
namespace winnow::wire {

// The ErrorInfo goes into grpc-status-details-bin; a status without a reason has none. The message
// is cut to 1,024 bytes and facts to 256 bytes each, of 1,024 together: gRPC takes 8 KiB of
// trailing metadata, and of more it makes an error of its own. What is not UTF-8 becomes question
// marks.
grpc::Status ToGrpc(const absl::Status& status);

// The inverse of ToGrpc. Details that cannot be read are left out.
absl::Status FromGrpc(const grpc::Status& status);

// What is not UTF-8 becomes question marks, but nothing is cut.
v1::ErrorInfo ToErrorInfo(const absl::Status& status);

// For replies that carry a status of their own: a Decode step, a shard's answer.
template <typename Reply>
void SetStatus(const absl::Status& status, Reply* reply) {
  reply->set_code(static_cast<int>(status.code()));
  reply->set_message(ToUtf8({status.message().data(), status.message().size()}));
  *reply->mutable_error() = ToErrorInfo(status);
}

// An unknown code becomes UNKNOWN.
absl::Status FromParts(int code, std::string_view message, const v1::ErrorInfo& error);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_STATUS_H_
