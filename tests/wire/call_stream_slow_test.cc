// A request that takes long to serialise.
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "absl/synchronization/notification.h"
#include "tests/wire/call_stream_peer.h"

namespace winnow::wire {

// Being serialised, it tells so and waits.
struct SlowRequest {
  v1::ShardRequest message;
  absl::Notification* begun = nullptr;
  absl::Notification* go_on = nullptr;
};

}  // namespace winnow::wire

namespace grpc {

template <>
class SerializationTraits<winnow::wire::SlowRequest, void> {
 public:
  static Status Serialize(const winnow::wire::SlowRequest& request, ByteBuffer* buffer,
                          bool* own_buffer) {
    if (request.begun != nullptr) {
      request.begun->Notify();
      request.go_on->WaitForNotification();
    }
    return SerializationTraits<winnow::v1::ShardRequest>::Serialize(request.message, buffer,
                                                                    own_buffer);
  }
};

}  // namespace grpc

namespace winnow::wire {
namespace {

struct SlowTraits {
  using Request = SlowRequest;
  using Reply = v1::ShardReply;
  static void SetId(Request* request, uint64_t id) { request->message.set_request_id(id); }
  static uint64_t Id(const Request& request) { return request.message.request_id(); }
  static uint64_t Id(const Reply& reply) { return reply.request_id(); }
};

TEST(CallStream, ARequestThatIsBeingSerialisedHoldsUpNoOtherCall) {
  Peer peer([](PeerStream* stream) {
    for (v1::ShardRequest request; stream->Read(&request);) stream->Write(AnswerTo(request));
    return grpc::Status::OK;
  });
  grpc::TemplatedGenericStub<SlowRequest, v1::ShardReply> stub(
      grpc::CreateChannel(peer.address(), grpc::InsecureChannelCredentials()));
  CallStream<SlowTraits> stream(
      {.open =
           [&stub](grpc::ClientContext* context, CallStream<SlowTraits>::Reactor* reactor) {
             stub.PrepareBidiStreamingCall(context, "/winnow.v1.Shard/Exchange", {}, reactor);
           },
       .peer = {.name = "the peer", .unavailable_reason = "PEER_GONE", .fact = {"peer", "7"}}});
  absl::Notification begun, go_on, answered, expired, next;
  std::jthread caller([&] {
    stream.Start({.begun = &begun, .go_on = &go_on}, absl::InfiniteFuture(),
                 [&](absl::StatusOr<v1::ShardReply> reply) {
                   EXPECT_TRUE(reply.ok()) << reply.status();
                   answered.Notify();
                 });
  });
  begun.WaitForNotification();
  std::jthread other([&] {
    stream.Start({}, absl::Now() + absl::Milliseconds(50),
                 [&](absl::StatusOr<v1::ShardReply> reply) {
                   EXPECT_TRUE(absl::IsDeadlineExceeded(reply.status())) << reply.status();
                   expired.Notify();
                 });
  });
  EXPECT_TRUE(expired.WaitForNotificationWithTimeout(absl::Seconds(10)));
  go_on.Notify();
  answered.WaitForNotification();
  stream.Start({}, absl::InfiniteFuture(), [&](absl::StatusOr<v1::ShardReply> reply) {
    EXPECT_TRUE(reply.ok()) << reply.status();
    next.Notify();
  });
  next.WaitForNotification();
}

}  // namespace
}  // namespace winnow::wire
