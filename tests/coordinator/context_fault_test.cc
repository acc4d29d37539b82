#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/error.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace winnow::testing;

constexpr uint32_t kEntries = 2 * kStripeEntries + 75;

// A context whose three stripes lie on three shards.
class ContextFaultTest : public ::testing::Test {
 protected:
  ContextFaultTest() : cluster_(3), sample_(TinyProfile(), kEntries, kernels::TestSeed()) {
    cluster_.Load(sample_);
    fingerprint_ = Fingerprint(*sample_.profile());
  }

  Coordinator& coordinator() { return cluster_.coordinator(); }

  absl::Status Select(uint32_t visible) {
    const SampleQuery query = sample_.Query({visible});
    return coordinator()
        .Select({.context = Name(), .source = IndexQueryOf(query)}, Unhurried())
        .status();
  }

  uint64_t ContextsOn(uint32_t shard) {
    return std::get<shard::PingResult>(cluster_.shard(shard).Ask(shard::Ping{}).value()).contexts;
  }

  LocalCluster cluster_;
  Sample sample_;
  std::string fingerprint_;
};

TEST_F(ContextFaultTest, AShardThatLostItsContextsIsNamedByEveryCall) {
  const uint32_t lost = cluster_.ShardOf("a", 1);
  const SampleQuery query = sample_.Query({kEntries});
  const uint64_t id = coordinator()
                          .Select({.context = Name(), .source = IndexQueryOf(query)}, Unhurried())
                          .value()
                          .selection.selection_id;
  cluster_.shard(lost).Restart();
  for (const absl::Status& status :
       {Select(kEntries), Select(1),
        coordinator().Attend(AttendQueryOf(query, id, 0), Unhurried()).status(),
        cluster_.Append(sample_, 0, kEntries).status(),
        cluster_.Append(sample_, kStripeEntries, 1).status(),
        coordinator().DescribeContext(Name(), Unhurried()).status(),
        coordinator().ForkContext(Name(), 5, "f", Unhurried()).status(),
        coordinator().SealContext(Name(), Unhurried())}) {
    ExpectError(status, StatusCode::kDataLoss, "MISSING_CONTEXT");
    EXPECT_EQ(ErrorFacts(status)["shards"], std::to_string(lost));
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("cut short"), HasSubstr("memory")));
  }
}

TEST_F(ContextFaultTest, EntriesThatAShardLostAreMissingAndNotLeftOut) {
  cluster_.HolderOf("a", 1).Restart();
  ExpectError(coordinator().CreateContext(Name(), fingerprint_, Unhurried()).status(),
              StatusCode::kDataLoss, "MISSING_ENTRIES");
  const absl::Status status = Select(kEntries);
  ExpectError(status, StatusCode::kDataLoss, "MISSING_STRIPES");
  EXPECT_EQ(ErrorFacts(status)["stripes"], "1");
  EXPECT_TRUE(Select(kStripeEntries).ok());
}

TEST_F(ContextFaultTest, ASelectionDiesWithOneShardsMemoryOfIt) {
  const SampleQuery query = sample_.Query({100});
  const uint64_t id = coordinator()
                          .Select({.context = Name(), .source = IndexQueryOf(query)}, Unhurried())
                          .value()
                          .selection.selection_id;
  cluster_.HolderOf("a", 2).Restart();
  cluster_.Create(sample_);
  ExpectError(coordinator().Attend(AttendQueryOf(query, id, 0), Unhurried()).status(),
              StatusCode::kNotFound, "SELECTION_EXPIRED");
}

TEST_F(ContextFaultTest, WhenAllShardsForgotTheContextIsUnknown) {
  for (uint32_t shard = 0; shard < 3; ++shard) cluster_.shard(shard).Restart();
  for (const absl::Status& status :
       {Select(kEntries), cluster_.Append(sample_, 0, kEntries).status(),
        coordinator().DescribeContext(Name(), Unhurried()).status(),
        coordinator().SealContext(Name(), Unhurried()),
        coordinator().DeleteContext(Name(), Unhurried())}) {
    ExpectError(status, StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  }
}

TEST_F(ContextFaultTest, AnUnreachableShardIsNotTakenForOneThatForgot) {
  cluster_.shard(0).Restart();
  cluster_.shard(1).Fail<shard::Describe>(Gone());
  ExpectError(coordinator().DescribeContext(Name(), Unhurried()).status(), StatusCode::kUnavailable,
              "GONE");
}

TEST_F(ContextFaultTest, ShardsThatHoldDifferentContextsUnderOneNameAreAnError) {
  FakeShard& shard = cluster_.shard(1);
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(
      shard
          .Ask(shard::CreateContext{
              .context_id = "t/a", .tenant = "t", .profile = sample_.profile(), .placement_key = 1})
          .ok());
  ExpectError(coordinator().DescribeContext(Name(), Unhurried()).status(), StatusCode::kDataLoss,
              "MISSING_CONTEXT");
  ExpectError(Select(kEntries), StatusCode::kDataLoss, "MISSING_CONTEXT");
}

TEST_F(ContextFaultTest, ACreationThatFailedIsFinishedByRepeatingIt) {
  cluster_.shard(1).Fail<shard::CreateContext>(Gone());
  ExpectError(coordinator().CreateContext(Name("b"), fingerprint_, Unhurried()).status(),
              StatusCode::kUnavailable, "GONE");
  cluster_.Create(sample_, "b");
  EXPECT_EQ(cluster_.Entries("b"), 0u);
}

TEST_F(ContextFaultTest, AContextThatNobodyCanNameIsNotLeftBehind) {
  cluster_.shard(1).Fail<shard::CreateContext>(Gone());
  ExpectError(coordinator().CreateContext(Name(""), fingerprint_, Unhurried()).status(),
              StatusCode::kUnavailable, "GONE");
  cluster_.shard(2).LoseAnswer<shard::ForkContext>(Gone());
  ExpectError(coordinator().ForkContext(Name(), 10, "", Unhurried()).status(),
              StatusCode::kUnavailable, "GONE");
  for (uint32_t shard = 0; shard < 3; ++shard) EXPECT_EQ(ContextsOn(shard), 1u);
}

TEST_F(ContextFaultTest, AForkThatFailedIsFinishedByRepeatingIt) {
  cluster_.shard(1).Fail<shard::ForkContext>(Gone());
  ExpectError(coordinator().ForkContext(Name(), 5000, "f", Unhurried()).status(),
              StatusCode::kUnavailable, "GONE");
  ASSERT_TRUE(coordinator().ForkContext(Name(), 5000, "f", Unhurried()).ok());
  cluster_.ExpectHolds(sample_, 5000, "f");
}

TEST_F(ContextFaultTest, ADeletionThatFailedIsFinishedByRepeatingIt) {
  cluster_.shard(1).Fail<shard::DeleteContext>(Gone());
  ExpectError(coordinator().DeleteContext(Name(), Unhurried()), StatusCode::kUnavailable, "GONE");
  EXPECT_EQ(ContextsOn(0), 0u);
  EXPECT_EQ(ContextsOn(1), 1u);
  EXPECT_TRUE(coordinator().DeleteContext(Name(), Unhurried()).ok());
  EXPECT_EQ(ContextsOn(1), 0u);
}

TEST_F(ContextFaultTest, ASealThatFailedIsFinishedByRepeatingIt) {
  cluster_.shard(1).Fail<shard::SealContext>(Gone());
  ExpectError(coordinator().SealContext(Name(), Unhurried()), StatusCode::kUnavailable, "GONE");
  ASSERT_TRUE(coordinator().SealContext(Name(), Unhurried()).ok());
  for (uint32_t shard = 0; shard < 3; ++shard) {
    const auto state = cluster_.shard(shard).Ask(shard::Describe{.context_id = "t/a"}).value();
    EXPECT_TRUE(std::get<shard::ContextState>(state).sealed);
  }
}

TEST_F(ContextFaultTest, AListWithoutOneShardFails) {
  cluster_.shard(2).Fail<shard::ListContexts>(Gone());
  ExpectError(coordinator().ListContexts("t", "", 10, Unhurried()).status(),
              StatusCode::kUnavailable, "GONE");
}

TEST_F(ContextFaultTest, ListShardsTellsWhichOneFailed) {
  cluster_.shard(0).Edit<shard::Ping>([](shard::Result* result) { *result = shard::Done{}; });
  cluster_.shard(1).Fail<shard::Ping>(Gone());
  const std::vector<ShardState> states = coordinator().ListShards(Unhurried());
  ASSERT_EQ(states.size(), 3u);
  EXPECT_THAT(states[0].error, HasSubstr("another kind"));
  EXPECT_EQ(states[1].error, "the shard is gone");
  EXPECT_EQ(states[2].error, "");
  EXPECT_EQ(states[2].held.contexts, 1u);
}

}  // namespace
}  // namespace winnow::coordinator
