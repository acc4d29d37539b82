#include "services/shard/device_tier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/shard/tiered_contexts.h"
#include "tests/support/eventually.h"

namespace winnow::shard {
namespace {

using kernels::kPageEntries;
using winnow::testing::Eventually;

TEST_F(DeviceTierTest, MakesRoomAheadFromTheLeastRecentlyUsedContextsRows) {
  StartWithRoomFor(3);
  const auto a = Add("a"), b = Add("b"), c = Add("c");
  for (const auto& context : {b, a, c}) Use(*context);
  DeviceTier tier = TierAt(later());
  EXPECT_EQ(tier.DropAhead(), kv_bytes());
  ExpectCopies(*b, 10, 0);
  ExpectCopies(*a, 10, 10);
  ExpectCopies(*c, 10, 10);
  EXPECT_EQ(tier.DropAhead(), 0u) << "it is below the high water";
}

TEST_F(DeviceTierTest, WhatIsWantedPushesIdleRowsOutFirstInTheOrderOfUse) {
  StartWithRoomFor(3);
  const auto a = Add("a"), b = Add("b"), c = Add("c"), wanted = Add("wanted");
  ExpectCopies(*wanted, 0, 0);
  for (const auto& context : {b, a, c, wanted}) Use(*context);
  EXPECT_TRUE(TierAt(later()).Promote(*wanted));
  ExpectCopies(*wanted, 10, 10);
  ExpectCopies(*b, 10, 0);
  ExpectCopies(*a, 10, 0);
  ExpectCopies(*c, 10, 10);
}

TEST_F(DeviceTierTest, WhereNoRowsAreLeftIndexesGo) {
  Start(index_bytes() + kv_page() - 1);
  const auto a = Add("a"), wanted = Add("wanted");
  ExpectCopies(*a, 10, 0);
  for (const auto& context : {a, wanted}) Use(*context);
  EXPECT_FALSE(TierAt(later()).Promote(*wanted)) << "its rows have no room";
  ExpectCopies(*a, 0, 0);
  ExpectCopies(*wanted, 10, 0);
}

TEST_F(DeviceTierTest, ContextsThatWereUsedSinceKeepTheirs) {
  StartWithRoomFor(2);
  const auto a = Add("a"), b = Add("b"), wanted = Add("wanted");
  for (const auto& context : {wanted, a, b}) Use(*context);
  EXPECT_FALSE(TierAt(later()).Promote(*wanted));
  ExpectCopies(*a, 10, 10);
  ExpectCopies(*b, 10, 10);
}

TEST_F(DeviceTierTest, PinnedContextsKeepTheirs) {
  StartWithRoomFor(2);
  const auto pinned = Add("pinned"), b = Add("b"), wanted = Add("wanted");
  ASSERT_TRUE(pinned->Pin(absl::InfiniteFuture()).ok());
  for (const auto& context : {pinned, b, wanted}) Use(*context);
  EXPECT_FALSE(TierAt(later()).Promote(*wanted));
  ExpectCopies(*pinned, 10, 10);
  ExpectCopies(*b, 0, 0);
  ExpectCopies(*wanted, 10, 0);
}

TEST_F(DeviceTierTest, OnlyIdleContextsMakeRoom) {
  StartWithRoomFor(2);
  const auto a = Add("a"), b = Add("b"), wanted = Add("wanted");
  for (const auto& context : {a, b, wanted}) Use(*context);
  DeviceTier tier = TierAt(b->last_used() + kIdle);
  EXPECT_FALSE(tier.Promote(*wanted));
  ExpectCopies(*a, 0, 0);
  ExpectCopies(*b, 10, 10);
  ExpectCopies(*wanted, 10, 0);
}

TEST_F(DeviceTierTest, ContextsInUseThatDoNotAllFitDoNotPushEachOtherOut) {
  StartWithRoomFor(2);
  const auto a = Add("a"), b = Add("b"), c = Add("c");
  for (const auto& context : {a, b, c}) Use(*context);
  DeviceTier tier = TierAt(last_use_);
  const uint64_t written = mirror_->written_bytes();
  for (int round = 0; round < 3; ++round) {
    for (const auto& context : {a, b, c}) tier.Promote(*context);
    EXPECT_EQ(tier.DropAhead(), 0u);
  }
  EXPECT_EQ(mirror_->written_bytes(), written);
  ExpectCopies(*a, 10, 10);
  ExpectCopies(*b, 10, 10);
  ExpectCopies(*c, 0, 0);
}

TEST_F(DeviceTierTest, AContextsOwnRowsMakeRoomForItsIndex) {
  Start(6 * (index_page() + kv_page()) - 1);
  const auto a = Add("a", 5 * kPageEntries);
  Append(*a, 5 * kPageEntries, 5 * kPageEntries);
  EXPECT_LT(a->mirrored_bytes(Plane::kIndex), index_bytes());
  EXPECT_FALSE(TierAt(last_use_).Promote(*a)) << "it is larger than the device";
  EXPECT_EQ(a->mirrored_bytes(Plane::kIndex), index_bytes());
}

TEST_F(DeviceTierTest, RowsLeaveRoomForWhatIsAppended) {
  StartWithRoomFor(1);
  const auto a = Add("a");
  DropAll(*a);
  EXPECT_FALSE(TierAt(later()).Promote(*a));
  ExpectCopies(*a, 10, 0);
}

TEST_F(DeviceTierTest, ContextsThatAreGoneGetNone) {
  StartWithRoomFor(4);
  const auto deleted = Add("deleted"), expired = Add("expired"), other = Add("other");
  for (const auto& context : {deleted, expired, other}) DropAll(*context);
  ASSERT_TRUE(deleted->Remove().ok());
  ASSERT_TRUE(expired->Renew(absl::Now() - absl::Seconds(1)).ok());
  for (const auto& context : {deleted, expired}) {
    EXPECT_TRUE(TierAt(later()).Promote(*context)) << "there is nothing left to do";
    ExpectCopies(*context, 0, 0);
  }
  EXPECT_TRUE(TierAt(later()).Promote(*other));
}

TEST_F(DeviceTierTest, AContextThatIsRemovedMeanwhileGetsNoMore) {
  StartWithRoomFor(8);
  const auto a = Add("a");
  const auto next = a->Append({.stripe = 1, .count = 64, .layers = sample_.Layers(0, 64)});
  ASSERT_TRUE(next.ok()) << next.status();
  DropAll(*a);
  mirror_->OnWrite([&] { std::thread([&] { EXPECT_TRUE(a->Remove().ok()); }).join(); });
  EXPECT_TRUE(TierAt(last_use_).Promote(*a));
  ExpectCopies(*a, 10, 0);
}

TEST_F(DeviceTierTest, AWantedContextGetsCopiesInTheBackground) {
  StartWithRoomFor(3);
  const auto a = Add("a"), b = Add("b"), c = Add("c"), wanted = Add("wanted");
  for (const auto& context : {a, b, c, wanted}) Use(*context);
  DeviceTier tier(&*mirror_, Contexts(), {.idle = absl::ZeroDuration()});
  tier.Wants(wanted);
  EXPECT_TRUE(Eventually([&] { return IsMirrored(*wanted); }));
  ExpectCopies(*c, 10, 10);
  EXPECT_FALSE(IsMirrored(*a));
}

TEST_F(DeviceTierTest, AFullDeviceGetsRoomInTheBackground) {
  StartWithRoomFor(2);
  const auto a = Add("a"), b = Add("b");
  for (const auto& context : {a, b}) Use(*context);
  DeviceTier tier(&*mirror_, Contexts(), {.idle = absl::ZeroDuration()});
  tier.Grew();
  EXPECT_TRUE(Eventually([&] { return used_bytes() == 2 * index_bytes() + kv_bytes(); }));
  ExpectCopies(*b, 10, 10);
}

TEST_F(DeviceTierTest, NothingIsDoneWithoutADevice) {
  StartWithRoomFor(1);
  const auto a = Add("a");
  DeviceTier tier(nullptr, Contexts(), {.idle = absl::ZeroDuration()});
  tier.Grew();
  tier.Wants(a);
  ExpectCopies(*a, 10, 10);
}

TEST_F(DeviceTierTest, EndsWhileCopiesAreMade) {
  StartWithRoomFor(2);
  const auto a = Add("a");
  DropAll(*a);
  absl::Notification writing, go_on;
  std::once_flag once;
  mirror_->OnWrite([&] {
    std::call_once(once, [&] {
      writing.Notify();
      go_on.WaitForNotification();
    });
  });
  std::optional<DeviceTier> tier(std::in_place, &*mirror_, Contexts());
  tier->Wants(a);
  EXPECT_TRUE(writing.WaitForNotificationWithTimeout(absl::Seconds(60)));
  std::thread end([&] { tier.reset(); });
  go_on.Notify();
  end.join();
  EXPECT_EQ(used_bytes(), a->mirrored_bytes(Plane::kIndex) + a->mirrored_bytes(Plane::kKv));
  EXPECT_FALSE(mirror_->unpublished());
}

// That what has a copy has the row's bytes there.
void ExpectSameRows(const Context& context, size_t row_bytes) {
  const uint32_t entries = context.FindStripe(0)->entries(0);
  const auto pages = context.FindStripe(0)->Pages(0, Plane::kKv).value();
  for (uint32_t entry = 0; entry < entries; ++entry) {
    const Place row = pages->row(entry);
    ASSERT_TRUE(row.device == nullptr || std::memcmp(row.device, row.host, row_bytes) == 0);
  }
}

TEST_F(DeviceTierTest, CopiesAreExactWhileContextsGrowAndPushEachOtherOut) {
  StartWithRoomFor(2);
  std::vector<std::shared_ptr<Context>> all;
  for (const char* id : {"a", "b", "c"}) all.push_back(Add(id, 1));
  DeviceTier tier(&*mirror_, Contexts(),
                  {.idle = absl::ZeroDuration(), .pause = absl::ZeroDuration()});
  std::atomic<uint32_t> written = 1;
  std::thread appender([&] {
    for (; written < kEntries; ++written) {
      for (const auto& context : all) Append(*context, written, 1);
      tier.Grew();
    }
  });
  while (written < kEntries) {
    for (const auto& context : all) {
      context->Touch();
      tier.Wants(context);
      ExpectSameRows(*context, profile().row_bytes());
    }
  }
  appender.join();
  Use(*all[0]);
  EXPECT_TRUE(Eventually([&] {
    tier.Wants(all[0]);
    return IsMirrored(*all[0]);
  }));
  for (const auto& context : all) ExpectSameRows(*context, profile().row_bytes());
}

}  // namespace
}  // namespace winnow::shard
