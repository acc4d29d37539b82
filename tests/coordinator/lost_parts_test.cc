// Contexts that shards have lost a part of, and contexts that only look like it for a moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/error.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace winnow::testing;

constexpr uint32_t kEntries = 2 * kStripeEntries + 75;

// A context whose three stripes lie on three shards.
class LostPartsTest : public ::testing::Test {
 protected:
  LostPartsTest() : cluster_(3), sample_(TinyProfile(), kEntries, kernels::TestSeed()) {
    cluster_.Load(sample_);
    fingerprint_ = Fingerprint(*sample_.profile());
  }

  Coordinator& coordinator() { return cluster_.coordinator(); }
  absl::Status Create() {
    return coordinator().CreateContext(Name(), fingerprint_, Unhurried()).status();
  }
  absl::Status Describe() { return coordinator().DescribeContext(Name(), Unhurried()).status(); }
  // What a list says of the only context; it must be listed.
  ContextInfo Listed() {
    const ContextPage page = coordinator().ListContexts("t", "", 10, Unhurried()).value();
    EXPECT_EQ(page.contexts.size(), 1u);
    return page.contexts.empty() ? ContextInfo{} : page.contexts[0];
  }

  LocalCluster cluster_;
  Sample sample_;
  std::string fingerprint_;
};

TEST_F(LostPartsTest, AreListedAndSaidToBeLost) {
  EXPECT_THAT(Listed().damage, IsEmpty());
  cluster_.HolderOf("a", 1).Restart();
  EXPECT_THAT(Listed().damage, HasSubstr("does not hold context a of tenant t"));
  EXPECT_EQ(Listed().entries, kEntries);
}

TEST_F(LostPartsTest, AreToldByWhoeverMakesTheContextAgain) {
  const uint32_t lost = cluster_.ShardOf("a", 1);
  cluster_.shard(lost).Restart();
  for (const absl::Status& status :
       {Create(), Create(), Describe(),
        coordinator().ForkContext(Name(), 5, "f", Unhurried()).status(),
        coordinator()
            .maintenance()
            .Tier({.action = shard::TierAction::kVerify, .context = Name()}, Unhurried())
            .status(),
        coordinator()
            .maintenance()
            .SaveSnapshot({.context = Name(), .directory = "/nowhere"}, Unhurried())
            .status()}) {
    ExpectError(status, StatusCode::kDataLoss, "MISSING_ENTRIES");
    EXPECT_EQ(ErrorFacts(status)["shards"], std::to_string(lost));
  }
  EXPECT_THAT(Listed().damage, HasSubstr("holds 0 of its 4096 entries below 8267 of layer 0"));
}

TEST_F(LostPartsTest, AreHealedByAppendingThemAgain) {
  cluster_.HolderOf("a", 1).Restart();
  ExpectError(Create(), StatusCode::kDataLoss, "MISSING_ENTRIES");
  ASSERT_TRUE(cluster_.Append(sample_, 0, kEntries).ok());
  EXPECT_TRUE(Create().ok());
  EXPECT_THAT(Listed().damage, IsEmpty());
  cluster_.ExpectHolds(sample_, kEntries);
}

TEST_F(LostPartsTest, AreNoGapThatAnAppendBehindThemCouldResumeAt) {
  cluster_.HolderOf("a", 1).Restart();
  ExpectError(Create(), StatusCode::kDataLoss, "MISSING_ENTRIES");
  for (const uint32_t start : {kStripeEntries + 100, 2 * kStripeEntries}) {
    ExpectError(cluster_.Append(sample_, start, 10).status(), StatusCode::kDataLoss,
                "MISSING_ENTRIES");
  }
}

TEST_F(LostPartsTest, OfTheLastStripeAreThoseOfAShorterContext) {
  cluster_.HolderOf("a", 2).Restart();
  ASSERT_TRUE(Create().ok());
  EXPECT_EQ(cluster_.Entries(), 2u * kStripeEntries);
}

TEST_F(LostPartsTest, ContextsOfDifferentProfilesUnderOneNameAreListedAsDamaged) {
  Profile other = TinyProfile({LayerKind::kOwn, LayerKind::kOwn, LayerKind::kOwn});
  const std::string other_fingerprint = coordinator().RegisterProfile(other).value();
  ASSERT_TRUE(coordinator().DeleteContext(Name(), Unhurried()).ok());
  cluster_.shard(1).Fail<shard::CreateContext>(Gone());
  ExpectError(coordinator().CreateContext(Name(), other_fingerprint, Unhurried()).status(),
              StatusCode::kUnavailable, "GONE");
  ExpectError(Create(), StatusCode::kAlreadyExists, "CONTEXT_EXISTS");
  EXPECT_THAT(Listed().damage, HasSubstr("different contexts"));
  ASSERT_TRUE(coordinator().DeleteContext(Name(), Unhurried()).ok());
  EXPECT_THAT(coordinator().ListContexts("t", "", 10, Unhurried())->contexts, IsEmpty());
}

TEST_F(LostPartsTest, AContextThatIsJustBeingMadeIsNotLost) {
  for (int looks = 1; looks <= 3; ++looks) {
    for (int i = 0; i < looks; ++i) cluster_.shard(1).Fail<shard::Describe>(NotHeld());
    EXPECT_TRUE(Describe().ok()) << looks;
  }
}

TEST_F(LostPartsTest, AnAppendThatRunsMeanwhileIsNotALoss) {
  const auto before_append = [](shard::ContextState* state) {
    for (auto* numbers : {&state->layer_entries, &state->layer_ends}) {
      numbers->assign(numbers->size(), 0);
    }
  };
  FakeShard& shard = cluster_.HolderOf("a", 1);
  shard.EditResult<shard::Describe, shard::ContextState>(before_append);
  EXPECT_TRUE(Describe().ok());
  shard.EditResult<shard::Describe, shard::ContextState>(before_append);
  shard.EditResult<shard::Describe, shard::ContextState>(before_append);
  ExpectError(Describe(), StatusCode::kDataLoss, "MISSING_ENTRIES");
}

TEST_F(LostPartsTest, AContextMadeAnewBetweenTwoLooksIsNotDamaged) {
  const auto longer = [](shard::ContextState* state) {
    state->layer_ends.assign(state->layer_ends.size(), 10 * kStripeEntries);
  };
  cluster_.shard(0).EditResult<shard::Describe, shard::ContextState>(longer);
  EXPECT_TRUE(Describe().ok());
}

TEST_F(LostPartsTest, AForkWithoutANameIsNotLeftBehindWhenTimeIsUp) {
  FakeShard& slow = cluster_.shard(1);
  slow.Hold<shard::ForkContext>();
  const absl::Status status =
      coordinator().ForkContext(Name(), 10, "", absl::Now() + absl::Milliseconds(100)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  slow.Release();
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::get<shard::PingResult>(cluster_.shard(i).Ask(shard::Ping{}).value()).contexts,
              1u);
  }
}

TEST_F(LostPartsTest, ASealThatHasNotReachedEveryShardIsNone) {
  cluster_.shard(2).Fail<shard::SealContext>(Gone());
  ExpectError(coordinator().SealContext(Name(), Unhurried()), StatusCode::kUnavailable, "GONE");
  EXPECT_FALSE(coordinator().DescribeContext(Name(), Unhurried())->first.sealed);
}

}  // namespace
}  // namespace winnow::coordinator
