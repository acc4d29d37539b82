// Servers that die, hang, restart or stop: calls end in time with an error that says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <future>
#include <string>

#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/run_ctl.h"
#include "tests/cluster/trial.h"

namespace winnow::testing {
namespace {

using ::testing::HasSubstr;

// Three stripes, so that each of three shards may have some.
constexpr int kEntries = 2 * 4096 + 1000;
// Generous, for slow machines and sanitizers; what it bounds is far below the client's timeout.
constexpr absl::Duration kInTime = absl::Seconds(20);
constexpr absl::Duration kClientTimeout = absl::Seconds(50);

class FailureTest : public ::testing::Test {
 protected:
  FailureTest()
      : service_(Service::Processes(3)),
        client_(service_.address(), {.timeout = kClientTimeout}),
        trial_(SmallProfile(), kEntries, kernels::TestSeed()),
        context_(trial_.Load(client_, 1024)),
        query_(trial_.Query({kEntries})) {}

  void ExpectAnswers() {
    auto result = context_.Attend(query_.Request());
    ASSERT_TRUE(result.ok()) << result.status();
    ExpectSame(result->selection, trial_.Selected(query_));
  }

  // The shard that holds stripe 0.
  int ShardOfStart() const {
    auto info = context_.Describe();
    EXPECT_TRUE(info.ok()) << info.status();
    for (size_t i = 0; i < info->shard_entries.size(); ++i) {
      if (info->shard_entries[i] > 0) return static_cast<int>(i);
    }
    ADD_FAILURE() << "no shard has an entry";
    return 0;
  }

  Service service_;
  client::Client client_;
  Trial trial_;
  const client::Context context_;
  const TrialQuery query_;
};

TEST_F(FailureTest, AShardKilledMidCallEndsTheCall) {
  Process& shard = service_.shard(1).process();
  shard.Stop();
  auto call = context_.AttendAsync(query_.Request());
  EXPECT_EQ(call.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  shard.Signal(SIGKILL);
  ASSERT_EQ(call.wait_for(absl::ToChronoSeconds(kInTime)), std::future_status::ready);
  const absl::Status status = call.get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ErrorReason(status), "SHARD_UNAVAILABLE") << status;
  EXPECT_EQ(ErrorFacts(status)["shards"], "1") << status;
}

TEST_F(FailureTest, ADeletionThatAShardMissedSaysThatItShouldBeRepeated) {
  const std::vector<std::string> remove = {"context", "delete", context_.id(), "--yes",
                                           "--address=" + service_.address()};
  service_.shard(1).process().Signal(SIGKILL);
  service_.shard(1).process().Wait();
  const Outcome failed = RunCtl(remove);
  EXPECT_EQ(failed.code, kRefused);
  EXPECT_THAT(failed.err, AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("repeat the command")));
}

TEST_F(FailureTest, AShardThatIsGoneShowsInTheExitCodes) {
  const std::string address = "--address=" + service_.address();
  for (const char* command : {"nodes", "shards"}) {
    EXPECT_EQ(RunCtl({command, address}).code, kOk) << command;
  }
  service_.shard(1).process().Signal(SIGKILL);
  service_.shard(1).process().Wait();
  for (const char* command : {"nodes", "shards"}) {
    const Outcome outcome = RunCtl({command, address});
    EXPECT_EQ(outcome.code, kRefused) << outcome.out;
    EXPECT_NE(outcome.out, "") << "what answers is listed";
  }
}

TEST(ShardConnectionTest, AShardMayTakeAMomentToAnswerTheFirstTime) {
  Service service = Service::Processes(1);
  client::Client client(service.address());
  const Profile profile = SmallProfile();
  ASSERT_TRUE(client.RegisterProfile(profile).ok());
  service.shard(0).process().Stop();
  auto created = std::async(std::launch::async,
                            [&] { return client.CreateContext(Fingerprint(profile)).status(); });
  EXPECT_EQ(created.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  service.shard(0).process().Signal(SIGCONT);
  const absl::Status status = created.get();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(FailureTest, AShardThatHangsIsAnErrorAtTheDeadline) {
  // The service answers a twentieth earlier.
  client::Client hasty(service_.address(), {.timeout = absl::Seconds(5)});
  auto context = hasty.OpenContext(context_.id());
  ASSERT_TRUE(context.ok()) << context.status();
  auto session = context->StartDecode();
  Process& shard = service_.shard(2).process();
  shard.Stop();
  const absl::Time start = absl::Now();
  client::DecodeStep step;
  step.attend = query_.Request();
  auto step_status = session->Start(step);
  for (const absl::Status& status :
       {context->Attend(query_.Request()).status(), step_status.get().status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
    EXPECT_EQ(ErrorReason(status), "DEADLINE") << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("shard 2 at"));
  }
  EXPECT_LT(absl::Now() - start, kInTime);
  shard.Signal(SIGCONT);
  ExpectAnswers();
}

TEST_F(FailureTest, AnAppendCutShortIsFinishedBySendingItAgain) {
  const auto end = static_cast<uint64_t>(kEntries);
  client::Client hasty(service_.address(), {.timeout = absl::Milliseconds(500)});
  auto context = hasty.OpenContext(context_.id());
  ASSERT_TRUE(context.ok()) << context.status();
  // Fills the third stripe and goes on into the fourth, on whichever shards they are.
  const client::LayerEntries entries = trial_.Entries(0, 5000);
  for (int i = 0; i < 3; ++i) service_.shard(i).process().Stop();
  EXPECT_TRUE(absl::IsDeadlineExceeded(context->Append(end, 5000, {&entries, 1}).status()));
  for (int i = 0; i < 3; ++i) service_.shard(i).process().Signal(SIGCONT);
  auto again = context_.Append(end, 5000, {&entries, 1});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->end_position, end + 5000);
  auto info = context_.Describe();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->entries, end + 5000);
  again = context_.Append(end, 5000, {&entries, 1});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->entries_written, 0u) << "it holds all of them by now";
  ExpectAnswers();
}

TEST_F(FailureTest, AShardThatLostItsMemoryIsReportedAsLoss) {
  const int shard = ShardOfStart();
  service_.RestartShard(shard);
  absl::Status status = context_.Attend(query_.Request()).status();
  // The stream to the old process may break under the first call.
  if (absl::IsUnavailable(status)) status = context_.Attend(query_.Request()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ErrorReason(status), "MISSING_CONTEXT") << status;
}

TEST_F(FailureTest, WhatAShardHasLostCanBeAppendedAgain) {
  const auto create = [this] {
    return client_.CreateContext(Fingerprint(trial_.profile()), "book").status();
  };
  const client::Context book = client_.UseContext("book", trial_.profile());
  const auto append_all = [&book, this] {
    uint64_t written = 0;
    for (int start = 0; start < kEntries; start += 1024) {
      const int count = std::min(1024, kEntries - start);
      const client::LayerEntries entries = trial_.Entries(start, count);
      const auto appended =
          book.Append(static_cast<uint64_t>(start), static_cast<uint32_t>(count), {&entries, 1});
      EXPECT_TRUE(appended.ok()) << appended.status();
      if (appended.ok()) written += appended->entries_written;
    }
    return written;
  };
  ASSERT_TRUE(create().ok());
  ASSERT_EQ(append_all(), static_cast<uint64_t>(kEntries));
  // Where contexts lie follows from their names: of this one, each shard has a stripe.
  service_.RestartShard(0);
  absl::Status status = create();
  // The stream to the old process may break under the first call.
  if (absl::IsUnavailable(status)) status = create();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ErrorReason(status), "MISSING_ENTRIES") << status;
  const uint64_t written = append_all();
  EXPECT_GT(written, 0u);
  EXPECT_LT(written, static_cast<uint64_t>(kEntries)) << "the others still hold their parts";
  const auto info = book.Describe();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->entries, static_cast<uint64_t>(kEntries));
  const auto result = book.Attend(query_.Request());
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSame(result->selection, trial_.Selected(query_));
}

TEST_F(FailureTest, WhatAShardHasLostIsListedAndFailsAVerification) {
  const client::Context other = trial_.Load(client_, 1024);
  service_.RestartShard(1);
  // The stream to the old process may break under the first call.
  const bool settled = client_.ListContexts().ok() || client_.ListContexts().ok();
  ASSERT_TRUE(settled);
  const std::string address = "--address=" + service_.address();
  const Outcome listed = RunCtl({"context", "list", address});
  EXPECT_EQ(listed.code, kOk) << listed.err;
  const Outcome verified = RunCtl({"verify", address});
  EXPECT_EQ(verified.code, kRefused) << verified.err;
  for (const client::Context& context : {context_, other}) {
    EXPECT_THAT(listed.out, HasSubstr(context.id() + " is damaged: shard 1 at"));
    EXPECT_THAT(verified.out, HasSubstr("default/" + context.id() + ": shard 1 at"));
  }
}

TEST_F(FailureTest, AContextThatAShardHasLostCanBeDeleted) {
  const client::Context other = trial_.Load(client_, 1024);
  service_.RestartShard(1);
  absl::Status status = context_.Describe().status();
  // The stream to the old process may break under the first call.
  if (absl::IsUnavailable(status)) status = context_.Describe().status();
  EXPECT_EQ(ErrorReason(status), "MISSING_CONTEXT") << status;
  status = client_.DeleteContext(context_.id());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ErrorReason(client_.OpenContext(context_.id()).status()), "UNKNOWN_CONTEXT");
  EXPECT_EQ(ErrorReason(client_.DeleteContext(context_.id())), "UNKNOWN_CONTEXT");
  const Outcome deleted =
      RunCtl({"context", "delete", other.id(), "--yes", "--address=" + service_.address()});
  EXPECT_EQ(deleted.code, kOk) << deleted.err;
}

TEST_F(FailureTest, TwoCoordinatorsServeTheSameContexts) {
  std::vector<std::string> flags = {"--role=coordinator"};
  for (const std::string& address : service_.shard_addresses()) {
    flags.push_back("--shard-address=" + address);
  }
  Server other(flags);
  client::Client client(other.address());
  auto context = client.OpenContext(context_.id());
  ASSERT_TRUE(context.ok()) << context.status();
  auto result = context->Attend(query_.Request());
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSame(result->selection, trial_.Selected(query_));
  // What one deletes and makes anew, the other must not take for the old.
  ASSERT_TRUE(context->Delete().ok());
  EXPECT_EQ(ErrorReason(context_.Attend(query_.Request()).status()), "UNKNOWN_CONTEXT");
  Trial anew(SmallProfile(), 500, kernels::TestSeed() + 1);
  const std::string fingerprint = client.RegisterProfile(anew.profile()).value_or("");
  auto made = client.CreateContext(fingerprint, context_.id());
  const client::LayerEntries entries = anew.Entries(0, 500);
  ASSERT_TRUE(made.ok() && made->Append(0, 500, {&entries, 1}).ok()) << made.status();
  const TrialQuery query = anew.Query({500});
  const auto of_new = context_.Select(0, query.Index());
  ASSERT_TRUE(of_new.ok()) << of_new.status();
  ExpectSame(of_new->selection, anew.Selected(query));
}

TEST_F(FailureTest, ATermSignalLetsRunningCallsFinish) {
  Process& shard = service_.shard(0).process();
  Process& coordinator = service_.coordinator().process();
  shard.Stop();
  auto call = context_.AttendAsync(query_.Request());
  EXPECT_EQ(call.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  coordinator.Signal(SIGTERM);
  EXPECT_EQ(coordinator.Wait(absl::Milliseconds(300)), std::nullopt) << "it left a call behind";
  shard.Signal(SIGCONT);
  const auto result = call.get();
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSame(result->selection, trial_.Selected(query_));
  EXPECT_EQ(coordinator.Wait(), 0) << coordinator.Err();
}

TEST_F(FailureTest, ADecodeGoesOnAfterItsServerCameBack) {
  auto session = context_.StartDecode();
  client::DecodeStep step;
  step.attend = query_.Request();
  ASSERT_TRUE(session->Run(step).ok());
  const std::string address = service_.address();
  service_.coordinator().process().Signal(SIGKILL);
  service_.coordinator().process().Wait();
  EXPECT_EQ(session->Run(step).status().code(), absl::StatusCode::kUnavailable);
  std::vector<std::string> flags = {"--role=coordinator"};
  for (const std::string& shard : service_.shard_addresses()) {
    flags.push_back("--shard-address=" + shard);
  }
  Server again(flags, address);
  absl::Status status = absl::UnavailableError("not tried");
  for (const absl::Time until = absl::Now() + kInTime; !status.ok() && absl::Now() < until;
       absl::SleepFor(absl::Milliseconds(100))) {
    status = session->Run(step).status();
  }
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace winnow::testing
