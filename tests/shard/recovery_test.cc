#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/shard/disk_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;

class ShardRecoveryTest : public DiskShardTest {
 protected:
  void Delete(const std::string& id) {
    ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = id}).ok());
  }
  bool IsHeld(const std::string& id) { return shard_.Describe(id).ok(); }
};

TEST_F(ShardRecoveryTest, AStartFindsWhatWasHeld) {
  Create();
  Append(0, kEntries, "t/a", 1000);
  ASSERT_TRUE(shard_.Restart().ok());
  EXPECT_EQ(shard_.recovery().contexts, 1u);
  EXPECT_EQ(shard_.recovery().entries, 3u * kEntries);
  EXPECT_THAT(shard_.LayerEntries(), ElementsAre(kEntries, kEntries, kEntries));
  EXPECT_EQ(Describe().resident_kv_bytes + Describe().resident_index_bytes, 0u);
  ExpectAnswers(kEntries);
  EXPECT_EQ(shard_.Append(kEntries - 10, 10).value(), 0u);
}

TEST_F(ShardRecoveryTest, RecordsAreKept) {
  Create();
  const absl::Time expiry = absl::FromUnixMicros(absl::ToUnixMicros(absl::Now())) + absl::Hours(1);
  ASSERT_TRUE(shard_.Ask(shard::RenewLease{.context_id = "t/a", .expires_at = expiry}).ok());
  ASSERT_TRUE(shard_.Ask(shard::PinContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(shard_.Ask(shard::SealContext{.context_id = "t/a"}).ok());
  Create("t/s", Durability::kSynced);
  ASSERT_TRUE(shard_.Restart().ok());
  const shard::ContextState state = Describe();
  EXPECT_TRUE(state.sealed);
  EXPECT_EQ(state.pinned_until, absl::InfiniteFuture());
  EXPECT_EQ(state.expires_at, expiry);
  EXPECT_EQ(state.durability, Durability::kLogged);
  EXPECT_EQ(Describe("t/s").durability, Durability::kSynced);
  EXPECT_EQ(*state.profile, *shard_.sample.profile());
  ExpectError(shard_.Append(0, 1).status(), StatusCode::kFailedPrecondition, "CONTEXT_SEALED");
}

TEST_F(ShardRecoveryTest, APinnedContextComesBackIntoMemory) {
  Create();
  Append(0, 5000);
  ASSERT_TRUE(shard_.Ask(shard::PinContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(shard_.Restart().ok());
  const absl::Time limit = absl::Now() + absl::Seconds(20);
  while (Describe().resident_kv_bytes < Describe().kv_bytes && absl::Now() < limit) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(Describe().resident_kv_bytes, Describe().kv_bytes);
}

TEST_F(ShardRecoveryTest, ForksAndTheirParentsAreKeptApart) {
  Create();
  Append(0, 5000);
  ASSERT_TRUE(
      shard_
          .Ask(shard::ForkContext{.context_id = "t/b", .parent_context_id = "t/a", .entries = 4321})
          .ok());
  Append(4321, 6000, "t/b", 77);
  Append(5000, 5100);
  const uint64_t parent = shard_.incarnation();
  const uint64_t fork = shard_.incarnation("t/b");
  Delete("t/a");
  Create();
  Append(0, 30);
  ASSERT_TRUE(shard_.Restart().ok());
  EXPECT_EQ(shard_.incarnation("t/b"), fork);
  EXPECT_GT(fork, parent);
  EXPECT_GT(shard_.incarnation(), fork);
  EXPECT_THAT(shard_.LayerEntries("t/b"), ElementsAre(6000, 6000, 6000));
  ExpectAnswers(6000, "t/b");
  EXPECT_THAT(shard_.LayerEntries("t/a"), ElementsAre(30, 30, 30));
  ExpectAnswers(30, "t/a");
}

TEST_F(ShardRecoveryTest, LayersThatWereAppendedApartKeepTheirEnds) {
  Create();
  shard::Append first = shard_.AppendCall(0, 100);
  first.layers.pop_back();
  ASSERT_TRUE(shard_.Ask<shard::AppendResult>(first).ok());
  ASSERT_TRUE(shard_.Restart().ok());
  EXPECT_THAT(shard_.LayerEntries(), ElementsAre(100, 100, 0));
  EXPECT_EQ(shard_.Append(0, 100).value(), 100u);
}

TEST_F(ShardRecoveryTest, WhatWasInMemoryOnlyIsGone) {
  Create("t/m", Durability::kMemory);
  Append(0, 3000, "t/m");
  ASSERT_TRUE(Tier(shard::TierAction::kSpill, true, true, "t/m").ok());
  ASSERT_TRUE(shard_.Restart().ok());
  EXPECT_FALSE(IsHeld("t/m"));
}

TEST_F(ShardRecoveryTest, ADeletedContextStaysDeletedAndItsDiskSpaceReturns) {
  const auto disk_bytes = [this] {
    return shard_.Ask<shard::PingResult>(shard::Ping{})->disk_bytes;
  };
  Create();
  Append(0, kEntries);
  ASSERT_TRUE(shard_.Restart().ok());
  const uint64_t full = disk_bytes();
  EXPECT_GT(full, Describe().kv_bytes);
  Delete("t/a");
  ASSERT_TRUE(shard_.Restart().ok());
  EXPECT_FALSE(IsHeld("t/a"));
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (disk_bytes() > full / 4 && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(50));
  EXPECT_LT(disk_bytes(), full / 4);
}

TEST_F(ShardRecoveryTest, AContextWhoseTimeIsOverIsGone) {
  Create();
  Append(0, 100);
  ASSERT_TRUE(shard_
                  .Ask(shard::RenewLease{.context_id = "t/a",
                                         .expires_at = absl::Now() + absl::Milliseconds(50)})
                  .ok());
  EXPECT_TRUE(IsHeld("t/a"));
  absl::SleepFor(absl::Milliseconds(60));
  EXPECT_FALSE(IsHeld("t/a"));
  Create();
  EXPECT_THAT(shard_.LayerEntries(), ElementsAre(0, 0, 0));
}

TEST_F(ShardRecoveryTest, TheReaperFreesMemoryAndDisk) {
  Create();
  Append(0, kEntries);
  ASSERT_TRUE(shard_.Ask(shard::RenewLease{.context_id = "t/a", .expires_at = absl::Now()}).ok());
  const absl::Time limit = absl::Now() + absl::Seconds(20);
  const auto pages = [this] { return shard_.Ask<shard::PingResult>(shard::Ping{})->contexts; };
  while (pages() != 0 && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(pages(), 0u);
  ASSERT_TRUE(shard_.Restart().ok());
  EXPECT_EQ(shard_.recovery().contexts, 0u);
}

TEST_F(ShardRecoveryTest, ASecondShardOnTheSameDirectoryIsRefused) {
  kernels::WorkerPool pool(1);
  shard::CpuCompute compute(kernels::ChooseBackend("reference"), &pool);
  const absl::Status status = shard::Shard::Open({.data_dir = dir_.path()}, &compute).status();
  ExpectError(status, StatusCode::kFailedPrecondition, "DATA_DIR_IN_USE");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(dir_.path()));
}

}  // namespace
}  // namespace winnow::testing
