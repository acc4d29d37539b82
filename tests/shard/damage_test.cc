// What a shard does in the background with contexts that are damaged in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "absl/synchronization/notification.h"
#include "services/shard/scrubber.h"
#include "services/shard/spiller.h"
#include "storage/error.h"
#include "tests/shard/disk_contexts.h"

namespace winnow::shard {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using winnow::testing::ExpectError;

class ShardDamageTest : public DiskContextsTest {
 protected:
  absl::Status MakeRoom(uint64_t bytes) {
    Spiller spiller(
        &arena_, /*can_spill=*/true, [this] { return contexts_; },
        [this](const std::string& id, const std::string&) { damaged_.insert(id); });
    return spiller.MakeRoom(arena_.free_bytes() + bytes, absl::InfiniteFuture());
  }

  std::set<std::string> damaged_;
};

TEST_F(ShardDamageTest, ADamagedContextKeepsNoOtherInMemory) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  const Context& sound = Add("t/sound", Durability::kLogged);
  Damage(damaged, 0);
  Damage(damaged, 1);
  const uint64_t kv = sound.resident_bytes(Plane::kKv);
  const absl::Status room = MakeRoom(kv);
  EXPECT_TRUE(room.ok()) << room;
  EXPECT_THAT(damaged_, ElementsAre("t/damaged"));
  EXPECT_EQ(damaged.resident_bytes(Plane::kKv), kv);
  EXPECT_EQ(sound.resident_bytes(Plane::kKv), 0u);
}

TEST_F(ShardDamageTest, WhatIsSoundOfADamagedContextIsSpilled) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  Damage(damaged, 0);
  const uint64_t kv = damaged.resident_bytes(Plane::kKv);
  EXPECT_TRUE(MakeRoom(kv / 2).ok());
  EXPECT_EQ(damaged.resident_bytes(Plane::kKv), kv / 2);
}

TEST_F(ShardDamageTest, WhereAllThatIsLeftIsDamagedThereIsNoRoom) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  Damage(damaged, 0);
  Damage(damaged, 1);
  ExpectError(MakeRoom(1), absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET");
}

TEST_F(ShardDamageTest, WhoWaitsForAnothersSpillEndsByTheDeadline) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  Damage(damaged, 0);
  absl::Notification spilling, go_on;
  Spiller spiller(
      &arena_, /*can_spill=*/true, [this] { return contexts_; },
      [&](const auto&, const auto&) {
        if (!spilling.HasBeenNotified()) spilling.Notify();
        go_on.WaitForNotification();
      });
  std::thread other(
      [&] { EXPECT_TRUE(spiller.MakeRoom(arena_.free_bytes() + 1, absl::InfiniteFuture()).ok()); });
  EXPECT_TRUE(spilling.WaitForNotificationWithTimeout(absl::Seconds(60)));
  ExpectError(spiller.MakeRoom(arena_.budget_bytes(), absl::Now() + absl::Milliseconds(50)),
              absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET");
  go_on.Notify();
  other.join();
}

TEST_F(ShardDamageTest, WhatCannotBeReadInTimeIsNotTakenForDamaged) {
  Add("t/a", Durability::kLogged);
  Stripe& stripe = *contexts_.front()->Stripes(0, 1).front();
  EXPECT_THAT(Scrubber::FindDamage(stripe, absl::InfinitePast()), IsEmpty());
  Damage(*contexts_.front(), 0);
  EXPECT_THAT(Scrubber::FindDamage(stripe, absl::InfiniteFuture()), SizeIs(1));
}

TEST_F(ShardDamageTest, EveryContextIsVerifiedInTheBackground) {
  for (const char* id : {"t/a", "t/b", "t/c"}) Add(id);
  for (const int i : {0, 2}) Damage(*contexts_[i], 1);
  absl::Mutex mu;
  const auto both_are_found = [this] { return damaged_ == std::set<std::string>{"t/a", "t/c"}; };
  const Scrubber scrubber(
      uint64_t{1} << 40, [this] { return contexts_; },
      [&](const std::string& id, const std::string&) {
        absl::MutexLock lock(&mu);
        damaged_.insert(id);
      },
      absl::ZeroDuration());
  absl::MutexLock lock(&mu);
  EXPECT_TRUE(mu.AwaitWithTimeout(absl::Condition(&both_are_found), absl::Seconds(60)));
}

}  // namespace
}  // namespace winnow::shard
