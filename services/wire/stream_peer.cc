#include "services/wire/stream_peer.h"

#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow::wire {

absl::Status StreamPeer::Unavailable(const std::string& why) const {
  return Error(absl::StatusCode::kUnavailable, unavailable_reason, name + " is unavailable: " + why,
               {fact});
}

absl::Status StreamPeer::WhyEnded(const grpc::Status& status) const {
  absl::Status error = FromGrpc(status);
  const bool gone = error.ok() || absl::IsCancelled(error) || absl::IsUnavailable(error);
  if (pass_errors_on && !gone) return error;
  return Unavailable(status.error_message().empty() ? "it ended the stream"
                                                    : status.error_message());
}

}  // namespace winnow::wire
