#ifndef WINNOW_TESTS_WIRE_CALL_STREAM_PEER_H_
#define WINNOW_TESTS_WIRE_CALL_STREAM_PEER_H_

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "grpcpp/server.h"
#include "services/wire/call_stream.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow::wire {

// The shard's stream as a test's server sees it; notes what was read.
class PeerStream {
 public:
  using Grpc = grpc::ServerReaderWriter<v1::ShardReply, v1::ShardRequest>;
  PeerStream(Grpc* grpc, std::function<void(const v1::ShardRequest&)> note)
      : grpc_(grpc), note_(std::move(note)) {}
  bool Read(v1::ShardRequest* request);
  void Write(const v1::ShardReply& reply) { grpc_->Write(reply); }

 private:
  Grpc* const grpc_;
  const std::function<void(const v1::ShardRequest&)> note_;
};

// A server on a port of its own, with one function that serves each stream. Calls carry a value.
class Peer final : public v1::Shard::Service {
 public:
  using Serve = std::function<grpc::Status(PeerStream*)>;
  explicit Peer(Serve serve);
  // Breaks the streams that are open.
  ~Peer() override;

  const std::string& address() const { return address_; }
  int streams() const;
  // Values in the order in which they were read.
  std::vector<uint64_t> received() const;

 private:
  grpc::Status Exchange(grpc::ServerContext* context, PeerStream::Grpc* stream) override;

  const Serve serve_;
  mutable absl::Mutex mu_;
  int streams_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<uint64_t> received_ ABSL_GUARDED_BY(mu_);
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

v1::ShardReply AnswerTo(const v1::ShardRequest& request);
// The value that an answer carries; fails the test if it is an error.
uint64_t ValueOf(const absl::StatusOr<v1::ShardReply>& reply);

// A CallStream to a peer.
class Caller {
 public:
  struct Traits {
    using Request = v1::ShardRequest;
    using Reply = v1::ShardReply;
    static void SetId(Request* request, uint64_t id) { request->set_request_id(id); }
    static uint64_t Id(const Request& request) { return request.request_id(); }
    static uint64_t Id(const Reply& reply) { return reply.request_id(); }
  };
  using Answer = std::future<absl::StatusOr<v1::ShardReply>>;

  explicit Caller(const std::string& address, size_t max_pending = 1024);

  Answer Call(uint64_t value, absl::Duration timeout, size_t padding = 0);
  CallStream<Traits>& stream() { return stream_; }

 private:
  const std::unique_ptr<v1::Shard::Stub> stub_;
  CallStream<Traits> stream_;
};

}  // namespace winnow::wire

#endif  // WINNOW_TESTS_WIRE_CALL_STREAM_PEER_H_
