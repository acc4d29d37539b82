#ifndef WINNOW_CLIENT_LIB_CONNECTION_H_
#define WINNOW_CLIENT_LIB_CONNECTION_H_

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "services/wire/status.h"
#include "winnow/client.h"
#include "winnow/v1/admin.grpc.pb.h"
#include "winnow/v1/contexts.grpc.pb.h"
#include "winnow/v1/retrieval.grpc.pb.h"

namespace winnow::client {

// Whether a call failed because the service could not be reached, or the connection to it broke.
// With a reason the service itself has spoken: it is there, and a shard is not.
bool NobodyAnswered(const absl::Status& status);

// The channel, stubs and defaults that all handles of a client share. Thread-safe.
class Connection {
 public:
  Connection(const std::string& address, ClientOptions options);
  // Waits for the calls of CallAsync, which share the channel: its last owner must not be a thread
  // of gRPC's.
  ~Connection();

  // Runs one unary call under the client's timeout. A call that found nobody, or a coordinator that
  // stops, is tried again, with growing pauses, while there is time: calls may be repeated.
  using Rpc = std::function<grpc::Status(grpc::ClientContext*)>;
  absl::Status Call(const Rpc& rpc) const { return Call(Deadline(), rpc); }
  // The same for one of several calls that share their time.
  absl::Status Call(absl::Time deadline, const Rpc& rpc) const;

  absl::Time Deadline() const;

  // With what gRPC alone does not say, or not to people: that the process at the address is no
  // coordinator, or that the deadline passed before there was a connection, or a server that
  // stopped cut the call off, which are UNAVAILABLE as others are.
  absl::Status Explained(absl::Status status) const;

  // Around each call of CallAsync.
  void Enter();
  void Leave();

  const std::string address;
  const ClientOptions options;
  const std::unique_ptr<v1::Contexts::Stub> contexts;
  const std::unique_ptr<v1::Retrieval::Stub> retrieval;
  const std::unique_ptr<v1::Admin::Stub> admin;

 private:
  explicit Connection(const std::string& address, ClientOptions options,
                      const std::shared_ptr<grpc::Channel>& channel);
  // Until then, or until there is a connection where there is none.
  void Pause(absl::Time until) const;
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return under_way_ == 0; }

  const std::shared_ptr<grpc::Channel> channel_;
  absl::Mutex mu_;
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
};

// A unary call through gRPC's callback API: start(context, request, reply, done) begins it, and
// convert(reply) makes the result once it is OK.
template <typename Result, typename Reply, typename Request, typename StartFn, typename ConvertFn>
std::future<absl::StatusOr<Result>> CallAsync(Connection* connection, Request request,
                                              StartFn start, ConvertFn convert) {
  struct State {
    std::optional<grpc::ClientContext> context;
    Request request;
    Reply reply;
    std::promise<absl::StatusOr<Result>> promise;
  };
  auto state = std::make_shared<State>();
  state->context.emplace().set_deadline(absl::ToChronoTime(connection->Deadline()));
  state->request = std::move(request);
  std::future<absl::StatusOr<Result>> future = state->promise.get_future();
  connection->Enter();
  start(&*state->context, &state->request, &state->reply,
        [connection, state, convert](const grpc::Status& status) {
          state->context.reset();
          if (status.ok()) {
            state->promise.set_value(convert(state->reply));
          } else {
            state->promise.set_value(connection->Explained(wire::FromGrpc(status)));
          }
          connection->Leave();
        });
  return future;
}

// Of a call that is not made.
template <typename Result>
std::future<absl::StatusOr<Result>> Refused(absl::Status status) {
  std::promise<absl::StatusOr<Result>> promise;
  promise.set_value(std::move(status));
  return promise.get_future();
}

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_LIB_CONNECTION_H_
