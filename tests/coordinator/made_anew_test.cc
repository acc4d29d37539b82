// Calls that began with one context and come to the shards when another one has its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/support/local_cluster.h"
#include "tests/support/temp_dir.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;
using namespace winnow::testing;

constexpr uint32_t kEntries = 2 * kStripeEntries + 75;

class MadeAnewTest : public ::testing::Test {
 protected:
  MadeAnewTest() : cluster_(3), sample_(TinyProfile(), kEntries, kernels::TestSeed()) {
    cluster_.Load(sample_);
  }

  Coordinator& coordinator() { return cluster_.coordinator(); }

  // By another coordinator than the one that is tested, which remembers the context that was.
  void MakeAnew(const std::string& context_id = "a") {
    const std::unique_ptr<Coordinator> other = cluster_.NewCoordinator();
    ASSERT_TRUE(other->DeleteContext(Name(context_id), Unhurried()).ok());
    ASSERT_TRUE(
        other->CreateContext(Name(context_id), Fingerprint(*sample_.profile()), Unhurried()).ok());
  }

  // The shard tells of the context that was, once.
  void TellOfTheFormer(uint32_t shard) {
    cluster_.shard(shard).EditResult<shard::Describe, shard::ContextState>(
        [](shard::ContextState* state) { ++state->incarnation; });
  }

  LocalCluster cluster_;
  Sample sample_;
};

TEST_F(MadeAnewTest, WhatIsStillUnderWayToTheFormerContextIsRefused) {
  ASSERT_TRUE(coordinator().SealContext(Name(), Unhurried()).ok());
  const Maintenance& maintenance = coordinator().maintenance();
  ASSERT_TRUE(maintenance.RenewLease(Name(), absl::Hours(1), Unhurried()).ok());
  ASSERT_TRUE(maintenance.PinContext(Name(), absl::Hours(1), Unhurried()).ok());
  FakeShard& shard = cluster_.HolderOf("a", 0);
  MakeAnew();
  for (const shard::Call& call :
       {shard::Call(shard.last<shard::Append>()), shard::Call(shard.last<shard::SealContext>()),
        shard::Call(shard.last<shard::RenewLease>()), shard::Call(shard.last<shard::PinContext>()),
        shard::Call(shard.last<shard::DeleteContext>())}) {
    ExpectError(shard.Ask(call).status(), StatusCode::kFailedPrecondition, "STALE_CONTEXT");
  }
  const ContextInfo info = coordinator().DescribeContext(Name(), Unhurried())->first;
  EXPECT_EQ(info.entries, 0u);
  EXPECT_FALSE(info.sealed);
  EXPECT_FALSE(info.pinned);
  EXPECT_EQ(info.expires_in, absl::InfiniteDuration());
}

TEST_F(MadeAnewTest, WhatIsAskedOfTheNameFindsTheContextThatIsThere) {
  MakeAnew();
  Sample other(TinyProfile(), kEntries, kernels::TestSeed() + 1);
  ASSERT_TRUE(cluster_.Append(other, 0, kStripeEntries).ok());
  MakeAnew();
  ASSERT_TRUE(cluster_.Append(sample_, 0, kEntries).ok());
  cluster_.ExpectHolds(sample_, kEntries);
  MakeAnew();
  EXPECT_TRUE(coordinator().SealContext(Name(), Unhurried()).ok());
  EXPECT_TRUE(coordinator().DescribeContext(Name(), Unhurried())->first.sealed);
}

TEST_F(MadeAnewTest, AnAppendThatHasBegunIsNotFinishedInAnotherContext) {
  cluster_.Create(sample_, "b");
  cluster_.HolderOf("b", 0).Edit<shard::Append>([this](shard::Result*) { MakeAnew("b"); });
  ExpectError(cluster_.Append(sample_, 0, kEntries, "b").status(), StatusCode::kNotFound,
              "UNKNOWN_CONTEXT");
  EXPECT_EQ(cluster_.Entries("b"), 0u);
  EXPECT_TRUE(cluster_.Append(sample_, 0, kEntries, "b").ok());
}

TEST_F(MadeAnewTest, ADeletionDoesNotWaitForAShardThatHangs) {
  cluster_.shard(1).Drop<shard::Describe>();
  ExpectError(coordinator().DeleteContext(Name(), absl::Now() + absl::Milliseconds(1200)),
              StatusCode::kDeadlineExceeded, "DEADLINE");
  for (const uint32_t shard : {0u, 2u}) {
    EXPECT_FALSE(cluster_.shard(shard).Ask(shard::Describe{.context_id = "t/a"}).ok());
  }
}

TEST_F(MadeAnewTest, ADeletionTakesOnlyWhatItFound) {
  TellOfTheFormer(1);
  cluster_.shard(2).Fail<shard::Describe>(NotHeld());
  ASSERT_TRUE(coordinator().DeleteContext(Name(), Unhurried()).ok());
  const auto held = [this](uint32_t shard) {
    return cluster_.shard(shard).Ask(shard::Describe{.context_id = "t/a"}).ok();
  };
  EXPECT_FALSE(held(0));
  EXPECT_TRUE(held(1));
  EXPECT_TRUE(held(2));
  ASSERT_TRUE(coordinator().DeleteContext(Name(), Unhurried()).ok());
  EXPECT_FALSE(held(1));
  EXPECT_FALSE(held(2));
}

TEST_F(MadeAnewTest, ADeletionSaysOfWhomItHeardNothing) {
  cluster_.shard(1).Fail<shard::Describe>(Gone());
  ExpectError(coordinator().DeleteContext(Name(), Unhurried()), StatusCode::kUnavailable, "GONE");
  EXPECT_FALSE(cluster_.shard(0).Ask(shard::Describe{.context_id = "t/a"}).ok());
  EXPECT_TRUE(coordinator().DeleteContext(Name(), Unhurried()).ok());
  ExpectError(coordinator().DeleteContext(Name(), Unhurried()), StatusCode::kNotFound,
              "UNKNOWN_CONTEXT");
}

TEST_F(MadeAnewTest, ASnapshotOfAContextThatWentBeforeItsEndIsNotFinished) {
  const TempDir dir;
  // The last to be asked: all have saved their parts.
  cluster_.shard(2).Edit<shard::SaveSnapshot>([this](shard::Result*) { MakeAnew(); });
  const absl::Status status =
      coordinator()
          .maintenance()
          .SaveSnapshot({.context = Name(), .directory = dir.path()}, Unhurried())
          .status();
  ExpectError(status, StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  EXPECT_EQ(cluster_.shard(0).calls<shard::SaveSnapshot>(), 2);
}

TEST_F(MadeAnewTest, AContextThatWentMeanwhileIsUnknown) {
  const Maintenance& maintenance = coordinator().maintenance();
  const std::vector<std::function<absl::Status()>> calls = {
      [&] { return maintenance.RenewLease(Name(), absl::Hours(1), Unhurried()); },
      [&] { return maintenance.PinContext(Name(), absl::Hours(1), Unhurried()); },
      [&] {
        return maintenance
            .Tier({.action = shard::TierAction::kRestore, .context = Name()}, Unhurried())
            .status();
      },
      [&] {
        return maintenance.SaveSnapshot({.context = Name(), .directory = "/nowhere"}, Unhurried())
            .status();
      },
      [&] { return coordinator().ForkContext(Name(), 5, "f", Unhurried()).status(); }};
  for (const auto& call : calls) {
    TellOfTheFormer(0);
    TellOfTheFormer(1);
    TellOfTheFormer(2);
    ExpectError(call(), StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  }
  const ContextInfo info = coordinator().DescribeContext(Name(), Unhurried())->first;
  EXPECT_EQ(info.expires_in, absl::InfiniteDuration());
  EXPECT_FALSE(info.pinned);
  EXPECT_THAT(coordinator().ListContexts("t", "a", 10, Unhurried())->contexts, IsEmpty());
}

}  // namespace
}  // namespace winnow::coordinator
