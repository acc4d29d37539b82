#ifndef WINNOW_CLIENT_INCLUDE_WINNOW_DECODE_SESSION_H_
#define WINNOW_CLIENT_INCLUDE_WINNOW_DECODE_SESSION_H_

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "winnow/types.h"

namespace winnow::client {

class Connection;

// One message of a decode: entries to store, then an attention that already sees them. Either may
// be left out. If the append fails, the attention is not run; if that fails, the entries stay.
struct DecodeStep {
  uint64_t start_position = 0;
  uint32_t count = 0;  // 0: nothing is appended, and there are no layers
  std::vector<LayerEntries> layers;
  std::optional<AttendRequest> attend;
};

struct DecodeResult {
  AppendResult append;
  AttendResult attend;
};

// A stream of steps that the service answers in order. A step that fails does not end the session;
// after the stream broke, the next step opens a new one. Steps under way then end with UNAVAILABLE
// STREAM_BROKEN, or with why gRPC ended the stream: RESOURCE_EXHAUSTED for a step that is larger
// than the service takes, or for too many streams. Thread-safe.
class DecodeSession {
 public:
  DecodeSession(std::shared_ptr<Connection> connection, std::string context_id);
  // Ends steps that are under way with UNAVAILABLE.
  ~DecodeSession();

  absl::StatusOr<DecodeResult> Run(const DecodeStep& step);
  // The same without waiting; several steps may be under way.
  std::future<absl::StatusOr<DecodeResult>> Start(const DecodeStep& step);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_INCLUDE_WINNOW_DECODE_SESSION_H_
