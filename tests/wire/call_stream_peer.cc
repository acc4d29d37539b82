#include "tests/wire/call_stream_peer.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace winnow::wire {

bool PeerStream::Read(v1::ShardRequest* request) {
  if (!grpc_->Read(request)) return false;
  note_(*request);
  return true;
}

Peer::Peer(Serve serve) : serve_(std::move(serve)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  // The transport's window stays small, whatever it measures.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

Peer::~Peer() { server_->Shutdown(std::chrono::system_clock::now()); }

int Peer::streams() const {
  absl::MutexLock lock(&mu_);
  return streams_;
}

std::vector<uint64_t> Peer::received() const {
  absl::MutexLock lock(&mu_);
  return received_;
}

grpc::Status Peer::Exchange(grpc::ServerContext*, PeerStream::Grpc* stream) {
  {
    absl::MutexLock lock(&mu_);
    ++streams_;
  }
  PeerStream noted(stream, [this](const v1::ShardRequest& request) {
    absl::MutexLock lock(&mu_);
    received_.push_back(request.epoch());
  });
  return serve_(&noted);
}

v1::ShardReply AnswerTo(const v1::ShardRequest& request) {
  v1::ShardReply reply;
  reply.set_request_id(request.request_id());
  reply.mutable_append()->set_entries_written(request.epoch());
  return reply;
}

uint64_t ValueOf(const absl::StatusOr<v1::ShardReply>& reply) {
  EXPECT_TRUE(reply.ok()) << reply.status();
  return reply.ok() ? reply->append().entries_written() : ~uint64_t{0};
}

Caller::Caller(const std::string& address, size_t max_pending)
    : stub_(v1::Shard::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
      stream_(
          {.open =
               [this](grpc::ClientContext* context, CallStream<Traits>::Reactor* reactor) {
                 stub_->async()->Exchange(context, reactor);
               },
           .peer = {.name = "the peer", .unavailable_reason = "PEER_GONE", .fact = {"peer", "7"}},
           .max_pending = max_pending}) {}

Caller::Answer Caller::Call(uint64_t value, absl::Duration timeout, size_t padding) {
  v1::ShardRequest request;
  request.set_epoch(value);
  if (padding > 0) request.mutable_select()->set_queries(std::string(padding, 'x'));
  auto promise = std::make_shared<std::promise<absl::StatusOr<v1::ShardReply>>>();
  stream_.Start(
      std::move(request), absl::Now() + timeout,
      [promise](absl::StatusOr<v1::ShardReply> reply) { promise->set_value(std::move(reply)); });
  return promise->get_future();
}

}  // namespace winnow::wire
