#include "services/coordinator/fan_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "storage/error.h"
#include "tests/support/fake_shard_channel.h"
#include "tests/support/sample.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using winnow::testing::ExpectError;
using winnow::testing::FakeShard;
using winnow::testing::FakeShardChannel;
using winnow::testing::Unhurried;

class FanOutTest : public ::testing::Test {
 protected:
  FanOutTest() : pool_(1) {
    for (int i = 0; i < 3; ++i) {
      shards_.emplace_back(&pool_);
      channels_.push_back(std::make_unique<FakeShardChannel>(&shards_.back()));
    }
  }

  std::vector<Answer> PingAll(absl::Time deadline) {
    return CallAll(channels_, std::vector<shard::Call>(3, shard::Ping{}), deadline);
  }

  kernels::WorkerPool pool_;
  std::deque<FakeShard> shards_;
  std::vector<std::unique_ptr<ShardChannel>> channels_;
};

TEST_F(FanOutTest, EachChannelGetsItsOwnCallAndAnswersInItsPlace) {
  for (int i = 0; i < 3; ++i) {
    shards_[i].EditResult<shard::Ping, shard::PingResult>(
        [i](shard::PingResult* result) { result->version = std::to_string(i); });
  }
  const auto results = ResultsOf<shard::PingResult>(PingAll(Unhurried())).value();
  ASSERT_EQ(results.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(results[i].version, std::to_string(i));
  const std::vector<shard::Call> calls = {
      shard::Ping{}, shard::ListContexts{.tenant = "t", .limit = 1}, shard::Ping{}};
  const std::vector<Answer> answers = CallAll(channels_, calls, Unhurried());
  EXPECT_TRUE(std::holds_alternative<shard::PingResult>(*answers[0].result));
  EXPECT_TRUE(std::holds_alternative<shard::ListContextsResult>(*answers[1].result));
  EXPECT_EQ(shards_[1].calls<shard::Ping>(), 1);
  EXPECT_EQ(shards_[1].calls<shard::ListContexts>(), 1);
}

TEST_F(FanOutTest, AChannelThatNeverAnswersIsLateAndTheOthersAreNot) {
  shards_[1].Drop<shard::Ping>();
  const absl::Time start = absl::Now();
  const std::vector<Answer> answers = PingAll(start + absl::Milliseconds(20));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(20));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  EXPECT_TRUE(answers[0].result.ok());
  ExpectError(answers[1].result.status(), StatusCode::kDeadlineExceeded, "DEADLINE");
  EXPECT_EQ(ErrorFacts(answers[1].result.status())["shards"], "1");
  EXPECT_GE(answers[1].round_trip, absl::Milliseconds(20));
  EXPECT_TRUE(answers[2].result.ok());
}

TEST_F(FanOutTest, OneCallToAChannelThatNeverAnswersIsLate) {
  shards_[2].Drop<shard::Ping>();
  const absl::Time start = absl::Now();
  const auto result = CallOne(channels_, 2, shard::Ping{}, start + absl::Milliseconds(20));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  ExpectError(result.status(), StatusCode::kDeadlineExceeded, "DEADLINE");
  EXPECT_EQ(ErrorFacts(result.status())["shards"], "2");
}

TEST_F(FanOutTest, AnAnswerThatComesTooLateIsHarmless) {
  shards_[0].Hold<shard::Ping>();
  const std::vector<Answer> answers = PingAll(absl::Now() + absl::Milliseconds(10));
  ExpectError(answers[0].result.status(), StatusCode::kDeadlineExceeded, "DEADLINE");
  EXPECT_EQ(shards_[0].Release(), 1u);
  ExpectError(answers[0].result.status(), StatusCode::kDeadlineExceeded, "DEADLINE");
  EXPECT_TRUE(ResultsOf<shard::PingResult>(PingAll(Unhurried())).ok());
}

TEST_F(FanOutTest, AnAnswerFromAnotherThreadIsWaitedFor) {
  shards_[0].Hold<shard::Ping>();
  std::thread late([&] {
    while (shards_[0].Release() == 0) absl::SleepFor(absl::Milliseconds(5));
  });
  const std::vector<Answer> answers = PingAll(Unhurried());
  late.join();
  EXPECT_TRUE(answers[0].result.ok()) << answers[0].result.status();
}

TEST_F(FanOutTest, OnlyTheFirstAnswerOfAChannelCounts) {
  shards_[0].AnswerTwice<shard::Ping>();
  EXPECT_TRUE(ResultsOf<shard::PingResult>(PingAll(Unhurried())).ok());
}

TEST_F(FanOutTest, TheFirstShardsErrorIsTheResult) {
  shards_[1].Fail<shard::Ping>(Error(StatusCode::kUnavailable, "GONE", "shard 1 is gone"));
  shards_[2].Fail<shard::Ping>(Error(StatusCode::kInternal, "BROKEN", "shard 2 is broken"));
  ExpectError(ResultsOf<shard::PingResult>(PingAll(Unhurried())).status(), StatusCode::kUnavailable,
              "GONE");
}

TEST_F(FanOutTest, AnotherKindOfResultIsABadReply) {
  shards_[2].Edit<shard::Ping>([](shard::Result* result) { *result = shard::Done{}; });
  const absl::Status status = ResultsOf<shard::PingResult>(PingAll(Unhurried())).status();
  ExpectError(status, StatusCode::kInternal, "BAD_REPLY");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("shard 2"));
}

}  // namespace
}  // namespace winnow::coordinator
