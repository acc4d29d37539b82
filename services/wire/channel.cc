#include "services/wire/channel.h"

#include <limits>

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace winnow::wire {
namespace {

constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kReconnectBackoffMs = 50;
constexpr int kMaxReconnectBackoffMs = 1'000;
// What gRPC calls the shortest backoff is how long it lets an attempt take.
constexpr int kConnectTimeoutMs = 2'000;

}  // namespace

std::shared_ptr<grpc::Channel> Connect(const std::string& address, bool idle_pings) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, idle_pings ? 1 : 0);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectBackoffMs);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectBackoffMs);
  // http_proxy in the environment is for the way out of the network, which our addresses are in.
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Whoever asks has bounded what comes back.
  args.SetMaxReceiveMessageSize(std::numeric_limits<int>::max());
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args);
}

}  // namespace winnow::wire
