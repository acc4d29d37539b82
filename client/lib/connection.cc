#include "client/lib/connection.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "storage/error.h"

namespace winnow::client {
namespace {

constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kReconnectBackoffMs = 50;
constexpr int kMaxReconnectBackoffMs = 1'000;
constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);
// Somebody who is not there now may be restarting, but a wrong address should not take all the
// time.
constexpr absl::Duration kRetryFor = absl::Seconds(3);

// gRPC says nothing about a method that a server does not have.
absl::Status Explained(absl::Status status, const std::string& address) {
  if (!absl::IsUnimplemented(status) || !ErrorReason(status).empty()) return status;
  return Error(absl::StatusCode::kUnimplemented, "NOT_A_COORDINATOR",
               absl::StrCat("the process at ", address,
                            " does not offer this call: it is not a coordinator, but a shard "
                            "perhaps, or of another version; give the address of a coordinator"));
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectBackoffMs);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectBackoffMs);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectBackoffMs);
  // A gather's reply is as large as the caller asked for.
  args.SetMaxReceiveMessageSize(std::numeric_limits<int>::max());
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args);
}

}  // namespace

bool NobodyAnswered(const absl::Status& status) {
  return absl::IsUnavailable(status) && ErrorReason(status).empty();
}

Connection::Connection(const std::string& address, ClientOptions options)
    : Connection(address, std::move(options), Connect(address)) {}

Connection::Connection(const std::string& address, ClientOptions options,
                       const std::shared_ptr<grpc::Channel>& channel)
    : address(address),
      options(std::move(options)),
      contexts(v1::Contexts::NewStub(channel)),
      retrieval(v1::Retrieval::NewStub(channel)),
      admin(v1::Admin::NewStub(channel)) {}

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
  const absl::Time retry_until = std::min(deadline, absl::Now() + kRetryFor);
  absl::Duration pause = kFirstPause;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    const absl::Status status = wire::FromGrpc(rpc(&context));
    if (!NobodyAnswered(status) || absl::Now() + pause > retry_until)
      return Explained(status, address);
    absl::SleepFor(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

}  // namespace winnow::client
