#ifndef WINNOW_SERVICES_COORDINATOR_SHARD_CHANNEL_H_
#define WINNOW_SERVICES_COORDINATOR_SHARD_CHANNEL_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/shard/messages.h"

namespace winnow::coordinator {

// The way to one shard. Two kinds: a shard in this process, and one behind gRPC streams.
class ShardChannel {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<shard::Result>)>;

  virtual ~ShardChannel() = default;

  // Starts a call; `done` runs exactly once, on any thread, possibly before Start returns. It runs
  // with DEADLINE_EXCEEDED soon after the deadline at the latest, and with UNAVAILABLE when the
  // shard is gone, so no call can hang. `call` and what it borrows may be released once Start
  // returns: a channel that needs them longer copies them. Thread-safe.
  virtual void Start(const shard::Call& call, absl::Time deadline, Done done) = 0;

  // "in-process", or host:port.
  virtual std::string address() const = 0;

  // True if bytes sent over this channel cross no process boundary.
  virtual bool in_process() const = 0;
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_SHARD_CHANNEL_H_
