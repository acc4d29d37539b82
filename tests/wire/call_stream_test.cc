#include "services/wire/call_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/wire/call_stream_peer.h"

namespace winnow::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a call that must not end by its deadline gets.
constexpr absl::Duration kLong = absl::Seconds(100);
constexpr absl::Duration kShort = absl::Milliseconds(50);

void ExpectUnavailable(const absl::Status& status, const std::string& why) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ErrorReason(status), "PEER_GONE") << status;
  EXPECT_EQ(ErrorFacts(status)["peer"], "7") << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("the peer"), HasSubstr(why)));
}

grpc::Status Echo(PeerStream* stream) {
  for (v1::ShardRequest request; stream->Read(&request);) stream->Write(AnswerTo(request));
  return grpc::Status::OK;
}

// Reads everything and says nothing.
grpc::Status Ignore(PeerStream* stream) {
  for (v1::ShardRequest request; stream->Read(&request);) {
  }
  return grpc::Status::OK;
}

TEST(CallStream, AnswersFindTheirCallsInAnyOrder) {
  Peer peer([](PeerStream* stream) {
    std::vector<v1::ShardRequest> requests(3);
    for (v1::ShardRequest& request : requests) stream->Read(&request);
    for (const int i : {2, 0, 1}) stream->Write(AnswerTo(requests[i]));
    return Echo(stream);
  });
  Caller caller(peer.address());
  std::vector<Caller::Answer> answers;
  for (const uint64_t value : {10, 11, 12}) answers.push_back(caller.Call(value, kLong));
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(ValueOf(answers[i].get()), 10 + i);
  EXPECT_EQ(ValueOf(caller.Call(13, kLong).get()), 13u);
  EXPECT_EQ(peer.streams(), 1) << "all calls share one";
}

TEST(CallStream, ALateAnswerIsNobodys) {
  Peer peer([](PeerStream* stream) {
    v1::ShardRequest late, next;
    stream->Read(&late);
    stream->Read(&next);
    stream->Write(AnswerTo(late));
    stream->Write(AnswerTo(next));
    return Echo(stream);
  });
  Caller caller(peer.address());
  const absl::Status status = caller.Call(1, kShort).get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_EQ(ErrorReason(status), "DEADLINE");
  EXPECT_EQ(ErrorFacts(status)["peer"], "7");
  EXPECT_EQ(ValueOf(caller.Call(2, kLong).get()), 2u);
}

TEST(CallStream, AnswersToNoCallAreIgnored) {
  Peer peer([](PeerStream* stream) {
    v1::ShardRequest request;
    stream->Read(&request);
    for (const uint64_t id : {0u, 999u}) {
      v1::ShardReply stray;
      stray.set_request_id(id);
      stream->Write(stray);
    }
    stream->Write(AnswerTo(request));
    stream->Write(AnswerTo(request));  // once more
    return Echo(stream);
  });
  Caller caller(peer.address());
  EXPECT_EQ(ValueOf(caller.Call(1, kLong).get()), 1u);
  EXPECT_EQ(ValueOf(caller.Call(2, kLong).get()), 2u);
}

TEST(CallStream, ABreakEndsTheCallsUnderWayAndTheNextCallOpensANewStream) {
  std::atomic<int> streams = 0;
  Peer peer([&streams](PeerStream* stream) {
    if (++streams > 1) return Echo(stream);
    v1::ShardRequest request;
    stream->Read(&request);
    stream->Read(&request);
    return grpc::Status(grpc::StatusCode::ABORTED, "out of order");
  });
  Caller caller(peer.address());
  Caller::Answer first = caller.Call(1, kLong), second = caller.Call(2, kLong);
  ExpectUnavailable(first.get().status(), "out of order");
  ExpectUnavailable(second.get().status(), "out of order");
  EXPECT_EQ(ValueOf(caller.Call(3, kLong).get()), 3u);
  EXPECT_EQ(streams, 2);
  EXPECT_THAT(peer.received(), ElementsAre(1, 2, 3)) << "a call is never sent twice";
}

TEST(CallStream, APeerThatEndsTheStreamInOrderEndsItsCalls) {
  Peer peer([](PeerStream* stream) {
    v1::ShardRequest request;
    stream->Read(&request);
    return grpc::Status::OK;
  });
  Caller caller(peer.address());
  ExpectUnavailable(caller.Call(1, kLong).get().status(), "it ended the stream");
}

TEST(CallStream, AReplyThatCannotBeReadEndsTheStreamAndNotTheCallsAfterIt) {
  std::atomic<int> streams = 0;
  Peer peer([&streams](PeerStream* stream) {
    if (++streams > 1) return Echo(stream);
    v1::ShardRequest request;
    stream->Read(&request);
    v1::ShardReply unreadable = AnswerTo(request);
    unreadable.set_message("\xff");
    stream->Write(unreadable);
    return Ignore(stream);
  });
  Caller caller(peer.address());
  ExpectUnavailable(caller.Call(1, kLong).get().status(), "it sent what cannot be read");
  EXPECT_EQ(ValueOf(caller.Call(2, kLong).get()), 2u);
  EXPECT_THAT(peer.received(), ElementsAre(1, 2));
}

TEST(CallStream, APeerThatIsNotThereIsAnErrorAtOnce) {
  std::string address;
  {
    Peer peer(Echo);
    address = peer.address();
  }
  Caller caller(address);
  for (int i = 0; i < 2; ++i) ExpectUnavailable(caller.Call(1, kLong).get().status(), "");
}

TEST(CallStream, CallsAboveTheBoundAreRefused) {
  absl::Notification refused;
  Peer peer([&refused](PeerStream* stream) {
    v1::ShardRequest request;
    stream->Read(&request);
    stream->Read(&request);
    refused.WaitForNotification();
    stream->Write(AnswerTo(request));
    return Echo(stream);
  });
  Caller caller(peer.address(), /*max_pending=*/2);
  Caller::Answer first = caller.Call(1, kLong), second = caller.Call(2, kLong);
  const absl::Status refusal = caller.Call(3, kLong).get().status();
  refused.Notify();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted) << refusal;
  EXPECT_EQ(ErrorReason(refusal), "TOO_MANY_CALLS");
  EXPECT_EQ(ErrorFacts(refusal)["peer"], "7");
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("2 calls are waiting for the peer"));
  EXPECT_EQ(ValueOf(second.get()), 2u);
  EXPECT_EQ(ValueOf(caller.Call(4, kLong).get()), 4u) << "an answer makes room";
  EXPECT_THAT(peer.received(), ElementsAre(1, 2, 4));
}

TEST(CallStream, ManyCallersGetTheirOwnAnswers) {
  constexpr int kThreads = 8;
  constexpr uint64_t kCalls = 200;
  Peer peer(Echo);
  Caller caller(peer.address());
  std::atomic<uint64_t> right = 0;
  std::vector<std::jthread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kCalls; ++i) {
        const uint64_t value = t * kCalls + i;
        right += ValueOf(caller.Call(value, kLong).get()) == value;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, kThreads * kCalls);
  EXPECT_EQ(peer.streams(), 1);
}

TEST(CallStream, BreaksUnderManyCallersEndEveryCallOnce) {
  // Ends each stream after some answers.
  Peer peer([](PeerStream* stream) {
    v1::ShardRequest request;
    for (int i = 0; i < 20 && stream->Read(&request); ++i) stream->Write(AnswerTo(request));
    return grpc::Status(grpc::StatusCode::ABORTED, "enough");
  });
  Caller caller(peer.address());
  std::atomic<int> answered = 0, broken = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < 100; ++i) {
        const absl::StatusOr<v1::ShardReply> reply = caller.Call(i, kLong).get();
        answered += reply.ok() && ValueOf(reply) == i;
        broken += absl::IsUnavailable(reply.status());
      }
    });
  }
  threads.clear();
  EXPECT_EQ(answered + broken, 400);
  EXPECT_GT(answered, 0);
  EXPECT_GT(broken, 0);
  EXPECT_GT(peer.streams(), 1);
}

TEST(CallStream, ACallThatExpiresBeforeItIsSentIsNeverSent) {
  absl::Notification read;
  Peer peer([&read](PeerStream* stream) {
    read.WaitForNotification();
    return Echo(stream);
  });
  Caller caller(peer.address());
  // Larger than what the transport takes while nobody reads, so that the others wait behind it.
  Caller::Answer large = caller.Call(1, kLong, /*padding=*/3 << 20);
  EXPECT_EQ(caller.Call(2, kShort).get().status().code(), absl::StatusCode::kDeadlineExceeded);
  Caller::Answer last = caller.Call(3, kLong);
  read.Notify();
  EXPECT_EQ(ValueOf(large.get()), 1u);
  EXPECT_EQ(ValueOf(last.get()), 3u);
  EXPECT_THAT(peer.received(), ElementsAre(1, 3));
}

TEST(CallStream, ItsEndEndsEveryCall) {
  Peer peer(Ignore);
  std::vector<Caller::Answer> answers;
  {
    Caller caller(peer.address());
    for (uint64_t value = 0; value < 5; ++value) answers.push_back(caller.Call(value, kLong));
  }
  for (Caller::Answer& answer : answers) {
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    ExpectUnavailable(answer.get().status(), "");
  }
}

TEST(CallStream, ItsEndWaitsForTheCallbackOfADeadline) {
  Peer peer(Ignore);
  absl::Notification begun;
  std::atomic<bool> over = false;
  {
    Caller caller(peer.address());
    caller.stream().Start({}, absl::Now() + kShort, [&](absl::StatusOr<v1::ShardReply>) {
      begun.Notify();
      absl::SleepFor(absl::Milliseconds(300));
      over = true;
    });
    begun.WaitForNotification();
  }
  EXPECT_TRUE(over);
}

}  // namespace
}  // namespace winnow::wire
