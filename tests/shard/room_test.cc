// Room for pages, where a shard's memory is full.
#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "services/shard/restorer.h"
#include "services/shard/spiller.h"
#include "storage/error.h"
#include "tests/shard/disk_contexts.h"
#include "tests/storage/failing_file_system.h"
#include "tests/support/eventually.h"

namespace winnow::shard {
namespace {

using winnow::testing::Eventually;
using winnow::testing::ExpectError;

// Room for three contexts, but not for four.
constexpr uint64_t kBudget = uint64_t{800} << 10;

class RoomTest : public DiskContextsTest {
 protected:
  explicit RoomTest(rocksdb::Env* env = nullptr) : DiskContextsTest(kBudget, env) {}

  uint64_t BytesThatMiss(uint64_t bytes) const { return arena_.free_bytes() + bytes; }

  const ListContextsFn all_ = [this] { return contexts_; };
  ReportDamageFn report_ = [](const std::string&, const std::string&) {};
};

TEST_F(RoomTest, IsMadeOnceThoughTheDeadlineHasPassed) {
  const Context& older = Add("t/older");
  const Context& newer = Add("t/newer");
  Spiller spiller(&arena_, /*can_spill=*/true, all_, report_);
  EXPECT_TRUE(spiller.MakeRoom(BytesThatMiss(1), absl::InfinitePast()).ok());
  EXPECT_LT(older.resident_bytes(Plane::kKv), newer.resident_bytes(Plane::kKv));
}

TEST_F(RoomTest, IsMadeForTheKeysOfAContextThatIsUsedAgain) {
  Context& wanted = Add("t/wanted");
  const uint64_t index_bytes = wanted.resident_bytes(Plane::kIndex);
  std::vector<std::string> damaged;
  for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
    ASSERT_TRUE(wanted.Spill(plane, UINT64_MAX, absl::InfiniteFuture(), &damaged).ok());
  }
  const Context& other = Add("t/other");
  const uint64_t kv_bytes = other.resident_bytes(Plane::kKv);
  const auto full = arena_.Allocate(arena_.free_bytes() / 64 * 64);
  ASSERT_TRUE(full.ok());
  wanted.Touch();
  Spiller spiller(&arena_, /*can_spill=*/true, all_, report_);
  Restorer restorer(&arena_, &spiller);
  restorer.Wants(contexts_.front());
  EXPECT_TRUE(Eventually([&] { return wanted.resident_bytes(Plane::kIndex) == index_bytes; }));
  EXPECT_LT(other.resident_bytes(Plane::kKv), kv_bytes);
}

TEST_F(RoomTest, ThatOthersMadeMeanwhileIsNotMadeAgain) {
  const Context& damaged = Add("t/damaged", Durability::kMemory);
  for (const int layer : {0, 1}) Damage(damaged, layer);
  const Context& older = Add("t/older");
  const Context& newer = Add("t/newer");
  const uint64_t kv_bytes = newer.resident_bytes(Plane::kKv);
  const uint64_t needed = BytesThatMiss(kv_bytes);
  absl::Notification spilling, go_on;
  report_ = [&](const std::string&, const std::string&) {
    if (!spilling.HasBeenNotified()) spilling.Notify();
    go_on.WaitForNotification();
  };
  Spiller spiller(&arena_, /*can_spill=*/true, all_, report_);
  const auto make_room = [&] {
    EXPECT_TRUE(spiller.MakeRoom(needed, absl::Now() + absl::Seconds(1)).ok());
  };
  std::thread first(make_room);
  ASSERT_TRUE(spilling.WaitForNotificationWithTimeout(absl::Seconds(60)));
  std::thread second(make_room);
  absl::SleepFor(absl::Milliseconds(50));  // so that it waits for its turn
  go_on.Notify();
  first.join();
  second.join();
  EXPECT_EQ(older.resident_bytes(Plane::kKv), 0u);
  EXPECT_EQ(newer.resident_bytes(Plane::kKv), kv_bytes);
}

class FailingDiskTest : public RoomTest {
 protected:
  FailingDiskTest() : FailingDiskTest(FailingFileSystem::Make()) {}
  ~FailingDiskTest() override {
    files_->Fail(Fault::kNone);
    contexts_.clear();
    store_.reset();
  }

  std::shared_ptr<FailingFileSystem> files_;

 private:
  explicit FailingDiskTest(std::shared_ptr<FailingFileSystem> files)
      : RoomTest(files->env()), files_(std::move(files)) {}
};

TEST_F(FailingDiskTest, AContextThatTheDiskDoesNotTakeKeepsNoOtherInMemory) {
  const Context& unstored = Add("t/unstored", Durability::kMemory);
  Context& stored = Add("t/stored");
  const uint64_t kv_bytes = stored.resident_bytes(Plane::kKv);
  files_->Fail(Fault::kNoSpace, ".log");
  // The store refuses all writes from the first that fails on.
  EXPECT_FALSE(stored.Seal().ok());
  Spiller spiller(&arena_, /*can_spill=*/true, all_, report_);
  EXPECT_TRUE(spiller.MakeRoom(BytesThatMiss(kv_bytes), absl::InfinitePast()).ok());
  EXPECT_NE(unstored.resident_bytes(Plane::kKv), 0u);
  EXPECT_EQ(stored.resident_bytes(Plane::kKv), 0u);
  ExpectError(spiller.MakeRoom(kBudget, absl::Now() + absl::Milliseconds(100)),
              absl::StatusCode::kResourceExhausted, "DISK_FULL");
}

}  // namespace
}  // namespace winnow::shard
