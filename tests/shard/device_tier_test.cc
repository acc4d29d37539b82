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
#include "tests/storage/fake_mirror.h"
#include "tests/support/sample.h"

namespace winnow::shard {
namespace {

using kernels::kPageEntries;
using winnow::testing::Sample;
using winnow::testing::TinyProfile;

constexpr uint32_t kEntries = 10 * kPageEntries;
constexpr absl::Duration kIdle = absl::Seconds(10);

class DeviceTierTest : public ::testing::Test {
 protected:
  const Profile& profile() const { return *sample_.profile(); }
  uint64_t index_page() const {
    return kernels::KeyPageBytes(profile().key_format, profile().index_dim);
  }
  uint64_t kv_page() const { return kPageEntries * profile().row_bytes(); }
  // Of a context with all entries.
  uint64_t index_bytes() const { return kEntries / kPageEntries * index_page(); }
  uint64_t kv_bytes() const { return kEntries / kPageEntries * kv_page(); }
  uint64_t used_bytes() const { return mirror_->usage().used_bytes; }

  void Start(uint64_t capacity_bytes) { mirror_.emplace(capacity_bytes); }
  void StartWithRoomFor(int contexts) { Start(contexts * (index_bytes() + kv_bytes())); }

  std::shared_ptr<Context> Add(const std::string& id, uint32_t entries = kEntries) {
    const std::shared_ptr<Context> context =
        Context::Create({.profile = sample_.profile(),
                         .arena = &arena_,
                         .mirror = &*mirror_,
                         .record = {.context_id = id, .durability = Durability::kMemory}})
            .value();
    absl::MutexLock lock(&mu_);
    contexts_.push_back(context);
    Append(*context, 0, entries);
    return context;
  }
  void Append(Context& context, uint32_t start, uint32_t count) {
    const auto result = context.Append(
        shard::Append{.offset = start, .count = count, .layers = sample_.Layers(start, count)});
    EXPECT_TRUE(result.ok()) << result.status();
  }
  void DropAll(Context& context) {
    for (const Plane plane : {Plane::kIndex, Plane::kKv}) context.DropCopies(plane, UINT64_MAX);
  }
  // It was used later than all others then.
  void Use(Context& context) {
    do context.Touch();
    while (context.last_used() <= last_use_);
    last_use_ = context.last_used();
  }

  ListContextsFn Contexts() {
    return [this] {
      absl::MutexLock lock(&mu_);
      return contexts_;
    };
  }
  // A tier for calls on this thread, at a time that stands still.
  DeviceTier TierAt(absl::Time now) {
    return {&*mirror_, Contexts(), {.idle = kIdle, .now = [now] { return now; }}};
  }
  absl::Time later() const { return last_use_ + 2 * kIdle; }

  // Shares of the planes that have copies, in pages.
  void ExpectCopies(const Context& context, uint64_t index_pages, uint64_t kv_pages) const {
    EXPECT_EQ(context.mirrored_bytes(Plane::kIndex) / index_page(), index_pages) << context.id();
    EXPECT_EQ(context.mirrored_bytes(Plane::kKv) / kv_page(), kv_pages) << context.id();
  }
  bool IsMirrored(const Context& context) const {
    return context.mirrored_bytes(Plane::kIndex) == index_bytes() &&
           context.mirrored_bytes(Plane::kKv) == kv_bytes();
  }

  Sample sample_{TinyProfile(), kEntries, kernels::TestSeed()};
  PageArena arena_{0};
  std::optional<FakeMirror> mirror_;
  absl::Time last_use_ = absl::InfinitePast();
  absl::Mutex mu_;
  std::vector<std::shared_ptr<Context>> contexts_;
};

// For what happens on another thread.
template <typename Fn>
bool Eventually(Fn is_so) {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!is_so()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

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
