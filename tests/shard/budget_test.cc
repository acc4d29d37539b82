// A shard that holds more than its memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/shard/disk_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using shard::TierAction;

// Pages of 24 MiB in all, less the write buffers and caches; 27 stripes of 1.5 MB are 40 MB.
class SmallShardTest : public DiskShardTest {
 protected:
  static constexpr size_t kBudget = size_t{24} << 20;
  static constexpr uint32_t kMany = 27 * kStripeEntries + 1;
  SmallShardTest() : DiskShardTest(kBudget, kMany) {}
};

TEST_F(SmallShardTest, HoldsMoreThanItsMemoryAndAnswersExactly) {
  for (const Durability durability : {Durability::kLogged, Durability::kMemory}) {
    const std::string id = durability == Durability::kMemory ? "t/m" : "t/l";
    Create(id, durability);
    Append(0, kMany, id);
    const shard::ContextState state = Describe(id);
    EXPECT_LT(state.resident_kv_bytes + state.resident_index_bytes, kBudget);
    EXPECT_EQ(state.kv_bytes, 3ull * kMany * 96);
    for (const uint32_t entries : {kMany, kMany / 2, 100u}) ExpectAnswers(entries, id);
  }
  EXPECT_GT(cold_rows_, 0u);
}

TEST_F(SmallShardTest, TheKvPlaneGoesBeforeTheIndex) {
  Create();
  Append(0, 18 * kStripeEntries);
  const shard::ContextState state = Describe();
  EXPECT_EQ(state.resident_index_bytes, state.index_bytes);
  EXPECT_LT(state.resident_kv_bytes, state.kv_bytes);
}

TEST_F(SmallShardTest, ForksThatShareTheirPagesDoNotKeepOthersFromMemory) {
  constexpr uint32_t kShared = 10 * kStripeEntries;
  Create();
  Append(0, kShared);
  for (int i = 0; i < 40; ++i) {
    const shard::ForkContext fork = {
        .context_id = absl::StrCat("t/f", i), .parent_context_id = "t/a", .entries = kShared};
    ASSERT_TRUE(shard_.Ask(fork).ok());
  }
  Create("t/b");
  Append(0, kShared, "t/b");
  ExpectAnswers(kShared, "t/b");
  ExpectAnswers(kShared, "t/f7");
}

TEST_F(SmallShardTest, WhatIsPinnedStaysAndWhatFindsNoRoomIsRefused) {
  Create();
  ASSERT_TRUE(shard_.Ask(shard::PinContext{.context_id = "t/a"}).ok());
  absl::Status status;
  uint32_t held = 0;
  while (held < kMany && status.ok()) {
    status = shard_.Append(held, 512).status();
    if (status.ok()) held += 512;
  }
  ExpectError(status, StatusCode::kResourceExhausted, "MEMORY_BUDGET");
  EXPECT_GT(std::stoull(ErrorFacts(status)["needed_bytes"]),
            std::stoull(ErrorFacts(status)["free_bytes"]));
  EXPECT_EQ(Describe().resident_kv_bytes, Describe().kv_bytes);
  ExpectError(Tier(TierAction::kSpill).status(), StatusCode::kFailedPrecondition, "CONTEXT_PINNED");
  ExpectAnswers(held);
  EXPECT_EQ(cold_rows_ + cold_index_bytes_, 0u);
  ASSERT_TRUE(
      shard_.Ask(shard::PinContext{.context_id = "t/a", .until = absl::InfinitePast()}).ok());
  EXPECT_TRUE(shard_.Append(held, 512).ok());
}

TEST_F(SmallShardTest, WhatIsLargerThanMemoryIsNotPinned) {
  Create();
  Append(0, kMany);
  const absl::Status status = shard_.Ask(shard::PinContext{.context_id = "t/a"}).status();
  ExpectError(status, StatusCode::kResourceExhausted, "MEMORY_BUDGET");
  EXPECT_TRUE(
      shard_.Ask(shard::PinContext{.context_id = "t/a", .until = absl::InfinitePast()}).ok());
}

TEST_F(SmallShardTest, APinThatHasEndedHoldsNoMemory) {
  Create();
  const absl::Time until = absl::Now() + absl::Milliseconds(300);
  ASSERT_TRUE(shard_.Ask(shard::PinContext{.context_id = "t/a", .until = until}).ok());
  ASSERT_TRUE(shard_.Append(0, 512).ok());
  if (absl::Now() < until) {
    ExpectError(Tier(TierAction::kSpill).status(), StatusCode::kFailedPrecondition,
                "CONTEXT_PINNED");
  }
  absl::SleepFor(until - absl::Now());
  EXPECT_TRUE(Tier(TierAction::kSpill).ok());
  // Refused where pinned contexts have all the memory.
  constexpr uint32_t kAll = kMany / 512 * 512;
  for (uint32_t held = 512; held < kAll; held += 512) {
    ASSERT_TRUE(shard_.Append(held, 512).ok()) << held;
  }
  ExpectAnswers(kAll);
}

TEST_F(SmallShardTest, TheLeastRecentlyUsedContextIsSpilledFirst) {
  for (const char* id : {"t/old", "t/new"}) {
    Create(id);
    Append(0, 3 * kStripeEntries, id);
  }
  ExpectAnswers(100, "t/new");
  Create("t/more");
  Append(0, 3 * kStripeEntries, "t/more");
  EXPECT_LT(Describe("t/old").resident_kv_bytes, Describe("t/old").kv_bytes);
  EXPECT_EQ(Describe("t/new").resident_kv_bytes, Describe("t/new").kv_bytes);
}

TEST_F(SmallShardTest, QueriesAreExactWhileOthersAppendSpillAndRestore) {
  Create("t/a");
  Append(0, 8 * kStripeEntries);
  std::atomic<bool> done = false;
  std::thread appender([&] {
    Create("t/b");
    Append(0, kMany, "t/b", 1024);
    done = true;
  });
  std::thread mover([&] {
    while (!done) {
      EXPECT_TRUE(Tier(TierAction::kSpill).ok());
      EXPECT_TRUE(Tier(TierAction::kVerify)->corrupt.empty());
      // There need not be room.
      Tier(TierAction::kRestore).IgnoreError();
    }
  });
  while (!done) ExpectAnswers(8 * kStripeEntries);
  appender.join();
  mover.join();
  ExpectAnswers(kMany, "t/b");
}

}  // namespace
}  // namespace winnow::testing
