#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/shard/disk_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using shard::TierAction;
using ::testing::IsEmpty;

class ShardTierTest : public DiskShardTest {};

TEST_F(ShardTierTest, SpilledPlanesAnswerAsBefore) {
  Create();
  Append(0, kEntries);
  ExpectAnswers(kEntries);
  EXPECT_EQ(cold_index_bytes_ + cold_rows_, 0u);

  const shard::ContextState hot = Describe();
  EXPECT_EQ(hot.resident_kv_bytes, hot.kv_bytes);
  EXPECT_EQ(hot.stored_bytes, hot.kv_bytes + hot.index_bytes);
  const auto spilled = Tier(TierAction::kSpill, /*index=*/false);
  ASSERT_TRUE(spilled.ok()) << spilled.status();
  EXPECT_EQ(spilled->kv_bytes, hot.kv_bytes);
  EXPECT_EQ(spilled->index_bytes, 0u);
  EXPECT_EQ(spilled->next_stripe, 0u);
  ExpectAnswers(kEntries);
  EXPECT_EQ(cold_index_bytes_, 0u);
  EXPECT_GT(cold_rows_, 0u);
}

TEST_F(ShardTierTest, BothPlanesSpilledAnswerAsBefore) {
  Create();
  Append(0, kEntries, "t/a", 37);
  ASSERT_TRUE(Tier(TierAction::kSpill).ok());
  EXPECT_EQ(Describe().resident_kv_bytes + Describe().resident_index_bytes, 0u);
  for (const uint32_t entries : {kEntries, kStripeEntries, kStripeEntries + 1, 1u, 65u}) {
    ASSERT_TRUE(Tier(TierAction::kSpill).ok());
    ExpectAnswers(entries);
  }
  EXPECT_GT(cold_index_bytes_, 0u);
}

TEST_F(ShardTierTest, WhatIsOnlyInMemoryIsStoredWhenItIsSpilled) {
  Create("t/a", Durability::kMemory);
  Append(0, 3000);
  EXPECT_EQ(Describe().stored_bytes, 0u);
  ASSERT_TRUE(Tier(TierAction::kSpill, /*index=*/false).ok());
  EXPECT_EQ(Describe().stored_bytes, Describe().kv_bytes + Describe().index_bytes);
  ExpectAnswers(3000);
  Append(3000, kEntries);
  ASSERT_TRUE(Tier(TierAction::kSpill).ok());
  ExpectAnswers(kEntries);
}

TEST_F(ShardTierTest, AppendsGoOnWhereTheStripeIsCold) {
  Create();
  Append(0, 1000);
  for (uint32_t at = 1000; at < 1400; at += 100) {
    ASSERT_TRUE(Tier(TierAction::kSpill).ok());
    EXPECT_EQ(shard_.Append(at - 50, 150).value(), 3u * 100);
    ExpectAnswers(at + 100);
  }
}

TEST_F(ShardTierTest, WhatIsColdIsComparedWithWhatIsSentAgain) {
  Create();
  Append(0, 1000);
  ASSERT_TRUE(Tier(TierAction::kSpill).ok());
  EXPECT_EQ(shard_.Append(0, 1000).value(), 0u);
  shard::Append other = shard_.AppendCall(200, 10);
  other.layers[1].kv_rows = shard_.AppendCall(300, 10).layers[1].kv_rows;
  const absl::Status status = shard_.Ask<shard::AppendResult>(other).status();
  ExpectError(status, StatusCode::kAborted, "APPEND_CONFLICT");
  EXPECT_EQ(ErrorFacts(status)["offset"], "200");
  EXPECT_EQ(Describe().resident_kv_bytes, 0u);
}

TEST_F(ShardTierTest, RestoredPlanesAreReadFromMemoryAgain) {
  Create();
  Append(0, kEntries);
  ASSERT_TRUE(Tier(TierAction::kSpill).ok());
  const auto restored = Tier(TierAction::kRestore);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->index_bytes, Describe().index_bytes);
  EXPECT_EQ(restored->kv_bytes, Describe().kv_bytes);
  ExpectAnswers(kEntries);
  EXPECT_EQ(cold_index_bytes_ + cold_rows_, 0u);
}

TEST_F(ShardTierTest, AContextThatIsUsedAgainComesBackByItself) {
  Create();
  Append(0, kEntries);
  ASSERT_TRUE(Tier(TierAction::kSpill).ok());
  ExpectAnswers(kEntries);
  const absl::Time limit = absl::Now() + absl::Seconds(20);
  while (Describe().resident_kv_bytes < Describe().kv_bytes && absl::Now() < limit) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  const shard::ContextState state = Describe();
  EXPECT_EQ(state.resident_kv_bytes, state.kv_bytes);
  EXPECT_EQ(state.resident_index_bytes, state.index_bytes);
}

TEST_F(ShardTierTest, TheRowCacheKeepsWhatIsChosenAgain) {
  Create();
  Append(0, 1000);
  ASSERT_TRUE(Tier(TierAction::kSpill, /*index=*/false).ok());
  const SampleQuery query = shard_.sample.Query({1000});
  for (int step = 0; step < 2; ++step) {
    ASSERT_TRUE(shard_.Select(query, ++selection_).ok());
    cold_rows_ = cached_rows_ = 0;
    ExpectRows(0, shard_.sample.Selected(query, 0), "t/a");
    // A context that is used comes back, so that there may be no cold row any more.
    EXPECT_EQ(cached_rows_, step == 0 ? 0 : cold_rows_);
  }
}

TEST_F(ShardTierTest, ARangeOfStripesNamesTheNextOne) {
  Create();
  Append(0, kEntries);
  const auto first = shard_.Ask<shard::TierResult>(
      shard::Tier{.action = TierAction::kSpill, .context_id = "t/a", .stripes = 1});
  EXPECT_EQ(first->next_stripe, 1u);
  const auto rest = shard_.Ask<shard::TierResult>(shard::Tier{
      .action = TierAction::kSpill, .context_id = "t/a", .first_stripe = 1, .stripes = 2});
  EXPECT_EQ(rest->next_stripe, 0u);
  EXPECT_EQ(first->kv_bytes + rest->kv_bytes, Describe().kv_bytes);
}

TEST_F(ShardTierTest, ForksOfWhatIsColdShareItAndDiverge) {
  Create();
  Append(0, 5000);
  ASSERT_TRUE(Tier(TierAction::kSpill).ok());
  ASSERT_TRUE(
      shard_
          .Ask(shard::ForkContext{.context_id = "t/b", .parent_context_id = "t/a", .entries = 4500})
          .ok());
  EXPECT_EQ(Describe("t/b").resident_kv_bytes, 0u);
  ExpectAnswers(4500, "t/b");
  ASSERT_TRUE(
      shard_
          .Ask(shard::ForkContext{.context_id = "t/c", .parent_context_id = "t/a", .entries = 4500})
          .ok());
  shard::Append other = shard_.AppendCall(4500, 1, "t/c");
  other.layers = shard_.sample.Layers(4501, 1);
  ASSERT_TRUE(shard_.Ask<shard::AppendResult>(other).ok());
  ExpectError(shard_.Append(4500, 1, "t/c").status(), StatusCode::kAborted, "APPEND_CONFLICT");
  EXPECT_EQ(shard_.Append(4500, 500, "t/a").value(), 0u);
  Append(4500, kEntries, "t/b");
  ExpectAnswers(kEntries, "t/b");
  ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(Tier(TierAction::kSpill, true, true, "t/b").ok());
  ExpectAnswers(kEntries, "t/b");
}

TEST_F(ShardTierTest, VerifyFindsNothingWrong) {
  Create();
  Append(0, kEntries);
  ASSERT_TRUE(Tier(TierAction::kSpill, /*index=*/false).ok());
  const auto verified = Tier(TierAction::kVerify);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_THAT(verified->corrupt, IsEmpty());
  EXPECT_EQ(verified->kv_bytes, Describe().kv_bytes);
}

TEST(ShardWithoutADisk, RefusesToSpillAndToLog) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 10).ok());
  ExpectError(shard
                  .Ask<shard::TierResult>(
                      shard::Tier{.action = TierAction::kSpill, .context_id = "t/a", .stripes = 1})
                  .status(),
              StatusCode::kFailedPrecondition, "NO_DATA_DIR");
  ExpectError(shard
                  .Ask(shard::CreateContext{.context_id = "t/b",
                                            .tenant = "t",
                                            .profile = shard.sample.profile(),
                                            .durability = Durability::kLogged})
                  .status(),
              StatusCode::kFailedPrecondition, "NO_DATA_DIR");
}

}  // namespace
}  // namespace winnow::testing
