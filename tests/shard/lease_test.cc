// Contexts whose time is over while something else is done with them.
#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "tests/shard/disk_shard.h"
#include "tests/support/pause.h"

namespace winnow::testing {
namespace {

// The reaper looks once a second.
constexpr absl::Duration kUntilReaped = absl::Milliseconds(1300);

class ShardLeaseTest : public DiskShardTest {
 protected:
  absl::Status Renew(absl::Duration ttl) {
    return shard_.Ask(shard::RenewLease{.context_id = "t/a", .expires_at = absl::Now() + ttl})
        .status();
  }
  bool IsHeld() { return shard_.Describe("t/a").ok(); }
};

TEST_F(ShardLeaseTest, TheReaperDoesNotForgetTheNextContextOfThatName) {
  Create();
  Append(0, 100);
  ASSERT_TRUE(Renew(absl::ZeroDuration()).ok());
  {
    Pause pause("context.remove");
    std::thread creation([this] { Create(); });  // removes the old one first
    ASSERT_TRUE(pause.AwaitArrival());
    absl::SleepFor(kUntilReaped);  // the reaper has found the old one, and waits
    pause.Resume();
    creation.join();
  }
  Append(0, 50);
  absl::SleepFor(absl::Milliseconds(200));
  ASSERT_TRUE(IsHeld());
  ExpectAnswers(50);
}

TEST_F(ShardLeaseTest, ARenewalThatSucceedsIsKept) {
  Create();
  ASSERT_TRUE(Renew(absl::Milliseconds(400)).ok());
  absl::Status renewed;
  {
    Pause pause("append.before_log");
    std::thread append([this] { EXPECT_TRUE(shard_.Append(0, 100).ok()); });
    ASSERT_TRUE(pause.AwaitArrival());
    std::thread renewal([&] { renewed = Renew(absl::Hours(1)); });  // waits for the append
    absl::SleepFor(kUntilReaped);                                   // and so does the reaper
    pause.Resume();
    append.join();
    renewal.join();
  }
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_EQ(IsHeld(), renewed.ok()) << renewed;
  EXPECT_TRUE(renewed.ok() || absl::IsNotFound(renewed)) << renewed;
}

TEST_F(ShardLeaseTest, WhatWasRemovedCannotBeRenewed) {
  Create();
  absl::Status renewed;
  {
    Pause pause("context.remove");
    std::thread removal(
        [this] { EXPECT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok()); });
    ASSERT_TRUE(pause.AwaitArrival());
    std::thread renewal([&] { renewed = Renew(absl::Hours(1)); });
    absl::SleepFor(absl::Milliseconds(100));
    pause.Resume();
    removal.join();
    renewal.join();
  }
  EXPECT_TRUE(absl::IsNotFound(renewed)) << renewed;
}

}  // namespace
}  // namespace winnow::testing
