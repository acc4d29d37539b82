// What a client leaves behind when it goes.
#include <gtest/gtest.h>

#include <future>

#include "absl/time/clock.h"
#include "client/winnowctl/demo/induction_profile.h"
#include "tests/client/fake_service.h"
#include "winnow/client.h"

namespace winnow::ctl {
namespace {

// Often enough to meet the answer's thread in the middle.
constexpr int kRounds = 200;

TEST(ClientLifetime, AClientMayGoOnceItsLastCallIsAnswered) {
  FakeService service;
  InductionEntries entry;
  entry.Add(CodeSuffix("text"), 'x');
  for (uint64_t round = 0; round < kRounds; ++round) {
    std::future<absl::StatusOr<client::AppendResult>> appended;
    client::Client client(service.address());
    appended = client.OpenContext("text").value().AppendAsync(round, 1, entry.Layers());
    ASSERT_TRUE(appended.get().ok());
  }
  EXPECT_EQ(service.entries("text"), size_t{kRounds});
}

TEST(ClientLifetime, AClientMayGoWhileACallIsUnderWay) {
  FakeService service;
  InductionEntries entry;
  entry.Add(CodeSuffix("text"), 'x');
  for (uint64_t round = 0; round < kRounds; ++round) {
    std::future<absl::StatusOr<client::AppendResult>> appended;
    {
      client::Client client(service.address());
      appended = client.OpenContext("text").value().AppendAsync(round, 1, entry.Layers());
    }
    ASSERT_TRUE(appended.get().ok());
  }
}

TEST(ClientLifetime, AClientMayGoWithItsDecode) {
  FakeService service;
  InductionEntries entry;
  entry.Add(CodeSuffix("text"), 'x');
  const InductionQuery query(CodeSuffix("text"));
  for (uint64_t round = 0; round < kRounds; ++round) {
    client::Client client(service.address());
    const std::unique_ptr<client::DecodeSession> session =
        client.OpenContext("text").value().StartDecode();
    const auto step = session->Run({.start_position = round,
                                    .count = 1,
                                    .layers = entry.Layers(),
                                    .attend = query.Request(round + 1)});
    ASSERT_TRUE(step.ok()) << step.status();
    EXPECT_EQ(PredictedByte(step->attend.outputs), 'x');
  }
}

TEST(ClientLifetime, ADecodeThatGoesEndsItsSteps) {
  FakeService service([](int, v1::DecodeReply*) { absl::SleepFor(absl::Milliseconds(200)); });
  client::Client client(service.address());
  InductionEntries entry;
  entry.Add(CodeSuffix("text"), 'x');
  std::unique_ptr<client::DecodeSession> session = client.OpenContext("text").value().StartDecode();
  std::future<absl::StatusOr<client::DecodeResult>> step =
      session->Start({.start_position = 0,
                      .count = 1,
                      .layers = entry.Layers(),
                      .attend = InductionQuery(CodeSuffix("text")).Request(1)});
  session.reset();
  ASSERT_EQ(step.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(step.get().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace winnow::ctl
