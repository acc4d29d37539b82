#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "storage/error.h"
#include "storage/stripe.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/stripe_data.h"

namespace winnow {
namespace {

using kernels::TestSeed;

constexpr uint64_t kLayers = 3;  // that are stored

void AppendInRandomSteps(Stripe& stripe, const StripeData& data, uint64_t seed,
                         std::atomic<uint64_t>* written) {
  kernels::RandomData random(seed);
  for (uint32_t offset = 0; offset < kStripeEntries;) {
    const uint32_t count = std::min<uint32_t>(random.Int(1, 60), kStripeEntries - offset);
    const absl::StatusOr<uint64_t> wrote = stripe.Append(offset, count, data.Slice(offset, count));
    EXPECT_TRUE(wrote.ok()) << wrote.status();
    *written += wrote.value_or(0);
    offset += count;
  }
}

// Looks at the newest entries of a layer over and over until it is full.
void WatchLayer(const Stripe& stripe, const StripeData& data, int layer) {
  for (uint32_t seen = 0; seen < kStripeEntries;) {
    const uint32_t now = stripe.entries(layer);
    ASSERT_GE(now, seen);
    const uint32_t first = now - std::min(now, 80u);
    ASSERT_TRUE(data.Matches(stripe, layer, first, now - first));
    if (now == seen) std::this_thread::yield();
    seen = now;
  }
}

// Forks at the newest entry over and over until the stripe is full.
void WatchForks(Stripe& stripe, const StripeData& data) {
  for (uint32_t seen = 0; seen < kStripeEntries;) {
    seen = stripe.entries(3);
    const auto fork = stripe.Fork(stripe.context(), seen);
    ASSERT_TRUE(fork.ok()) << fork.status();
    ASSERT_EQ((*fork)->entries(3), seen);
    const uint32_t first = seen - std::min(seen, 80u);
    ASSERT_TRUE(data.Matches(**fork, 3, first, seen - first));
    std::this_thread::yield();
  }
}

class StripeConcurrencyTest : public testing::Test {
 protected:
  const std::shared_ptr<const Profile> profile_ = StripeProfile();
  const StripeData data_{*profile_, kStripeEntries, TestSeed()};
  PageArena arena_{0};
  const std::shared_ptr<const ContextStorage> storage_ = MemoryStorage(profile_, &arena_);
  Stripe stripe_{storage_, 0};
  std::atomic<uint64_t> written_ = 0;
};

TEST_F(StripeConcurrencyTest, ReadersSeeOnlyPublishedEntries) {
  std::vector<std::thread> threads;
  for (const int layer : {0, 2, 3}) {
    threads.emplace_back([this, layer] { WatchLayer(stripe_, data_, layer); });
  }
  threads.emplace_back([this] { WatchForks(stripe_, data_); });
  threads.emplace_back([this] { AppendInRandomSteps(stripe_, data_, TestSeed(), &written_); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(data_.IsHeldBy(stripe_, kStripeEntries));
  EXPECT_EQ(arena_.used_bytes(), kStripePages * PageSetBytes(*profile_));
}

TEST_F(StripeConcurrencyTest, WritersOfTheSameEntriesWriteEachOnce) {
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back(
        [this, i] { AppendInRandomSteps(stripe_, data_, TestSeed() + i, &written_); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(written_.load(), kLayers * kStripeEntries);
  EXPECT_TRUE(data_.IsHeldBy(stripe_, kStripeEntries));
  EXPECT_EQ(arena_.used_bytes(), kStripePages * PageSetBytes(*profile_));
}

TEST_F(StripeConcurrencyTest, OneOfTwoConflictingWritersWins) {
  const StripeData other(*profile_, kStripeEntries, TestSeed() + 9);
  for (uint32_t offset = 0; offset < 2000; offset += 20) {
    absl::StatusOr<uint64_t> mine, theirs;
    std::thread rival([&] { theirs = stripe_.Append(offset, 20, other.Slice(offset, 20)); });
    mine = stripe_.Append(offset, 20, data_.Slice(offset, 20));
    rival.join();
    ASSERT_NE(mine.ok(), theirs.ok());
    const absl::StatusOr<uint64_t>& winner = mine.ok() ? mine : theirs;
    EXPECT_EQ(*winner, kLayers * 20);
    EXPECT_EQ(ErrorReason(mine.ok() ? theirs.status() : mine.status()), "APPEND_CONFLICT");
    for (const int layer : {0, 2, 3}) {
      ASSERT_TRUE((mine.ok() ? data_ : other).Matches(stripe_, layer, offset, 20));
    }
  }
}

}  // namespace
}  // namespace winnow
