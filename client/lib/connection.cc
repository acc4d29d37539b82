#include "client/lib/connection.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/wire/channel.h"
#include "storage/error.h"

namespace winnow::client {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);
// Somebody who is not there now may be restarting, but a wrong address should not take all the
// time.
constexpr absl::Duration kRetryFor = absl::Seconds(3);

// By the coordinator itself, which has begun nothing. Where a shard refuses, its part of the call
// may be what is missing.
bool IsRefusedByDrain(const absl::Status& status) {
  return absl::IsUnavailable(status) && ErrorReason(status) == "DRAINING" &&
         !ErrorFacts(status).contains("shards");
}

// gRPC's words, before the addresses that a name stands for and, last, what the system said.
constexpr char kNoConnection[] = "failed to connect to all addresses; last error: ";
// Of an attempt that gRPC ended itself, whatever the system said before.
constexpr char kGivenUp[] = "handshaker shutdown";

}  // namespace

bool NobodyAnswered(const absl::Status& status) {
  return absl::IsUnavailable(status) && ErrorReason(status).empty();
}

Connection::Connection(const std::string& address, ClientOptions options)
    : Connection(address, std::move(options), wire::Connect(address, /*idle_pings=*/false)) {}

Connection::Connection(const std::string& address, ClientOptions options,
                       const std::shared_ptr<grpc::Channel>& channel)
    : address(address),
      options(std::move(options)),
      contexts(v1::Contexts::NewStub(channel)),
      retrieval(v1::Retrieval::NewStub(channel)),
      admin(v1::Admin::NewStub(channel)),
      channel_(channel) {}

Connection::~Connection() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &Connection::Idle));
}

void Connection::Enter() {
  absl::MutexLock lock(&mu_);
  ++under_way_;
}

void Connection::Leave() {
  absl::MutexLock lock(&mu_);
  --under_way_;
}

absl::Time Connection::Deadline() const { return absl::Now() + options.timeout; }

absl::Status Connection::Call(absl::Time deadline, const Rpc& rpc) const {
  std::optional<absl::Time> retry_until;
  absl::Duration pause = kFirstPause;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    const absl::Status status = Explained(wire::FromGrpc(rpc(&context)));
    if (!NobodyAnswered(status) && !IsRefusedByDrain(status)) return status;
    if (!retry_until) retry_until = std::min(deadline, absl::Now() + kRetryFor);
    if (absl::Now() + pause > *retry_until) return status;
    Pause(absl::Now() + pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

void Connection::Pause(absl::Time until) const {
  if (channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
    absl::SleepFor(until - absl::Now());
  } else {
    // gRPC looks at its sockets only for those who wait: nothing would come of a connection that is
    // being made while everybody sleeps.
    channel_->WaitForConnected(absl::ToChronoTime(until));
  }
}

absl::Status Connection::Explained(absl::Status status) const {
  if (!ErrorReason(status).empty()) return status;  // the service has spoken
  if (absl::IsUnimplemented(status)) {
    return Error(absl::StatusCode::kUnimplemented, "NOT_A_COORDINATOR",
                 absl::StrCat("the process at ", address,
                              " does not offer this call: it is not a coordinator, but a shard "
                              "perhaps, or of another version; give the address of a coordinator"));
  }
  // Nobody here cancels: a server that stopped did, after it took the call from the connection and
  // before it began.
  if (absl::IsCancelled(status)) {
    return absl::UnavailableError(
        absl::StrCat("the service at ", address,
                     " cut the call off, as one that stops does: ", std::string(status.message())));
  }
  if (absl::IsDeadlineExceeded(status) &&
      channel_->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) {
    return absl::UnavailableError(
        absl::StrCat("nobody answers at ", address, " in ", absl::FormatDuration(options.timeout)));
  }
  if (NobodyAnswered(status) && absl::StartsWith(status.message(), kNoConnection)) {
    std::string cause(status.message().substr(status.message().rfind(": ")));
    if (absl::StrContains(cause, kGivenUp)) cause = "";
    return absl::UnavailableError(
        absl::StrCat("nobody answers at ", address, cause, "; is winnowd running there?"));
  }
  return status;
}

}  // namespace winnow::client
