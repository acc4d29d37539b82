#ifndef WINNOW_SERVICES_WIRE_STREAM_PEER_H_
#define WINNOW_SERVICES_WIRE_STREAM_PEER_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace winnow::wire {

// Who is at the other end of a CallStream, and what its calls are told when the stream breaks.
struct StreamPeer {
  // For messages: "shard 2 at 10.0.0.7:7600".
  std::string name;
  // Of the error when the stream breaks, and the facts that go with it.
  std::string unavailable_reason;
  std::pair<std::string, std::string> fact;
  // Calls end with the stream's own error, unless that only says that the peer is gone.
  bool pass_errors_on = false;

  absl::Status Unavailable(const std::string& why) const;
  absl::Status WhyEnded(const grpc::Status& status) const;
};

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_STREAM_PEER_H_
