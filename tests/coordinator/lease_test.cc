// Leases, pins and durability: what is asked once is said to every shard alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using namespace winnow::testing;

constexpr uint32_t kEntries = 2 * kStripeEntries + 75;
constexpr absl::Duration kTtl = absl::Hours(1);

class LeaseTest : public ::testing::Test {
 protected:
  LeaseTest() : cluster_(3), sample_(TinyProfile(), kEntries, kernels::TestSeed()) {
    cluster_.Load(sample_);
    fingerprint_ = Fingerprint(*sample_.profile());
  }

  Coordinator& coordinator() { return cluster_.coordinator(); }
  const Maintenance& maintenance() { return cluster_.coordinator().maintenance(); }

  // The expiry in the last call of that kind, which must be the same on all shards.
  template <typename Call>
  absl::Time ToldExpiry() {
    const absl::Time told = cluster_.shard(0).last<Call>().expires_at;
    for (uint32_t i = 1; i < 3; ++i) EXPECT_EQ(cluster_.shard(i).last<Call>().expires_at, told);
    return told;
  }

  // Shard 1 does not hold the context, and the others tell that it expires then; to so many looks.
  void LoseOnOneShard(absl::Time expires_at, int looks = 1) {
    for (int look = 0; look < looks; ++look) {
      for (const uint32_t i : {0u, 2u}) {
        cluster_.shard(i).EditResult<shard::Describe, shard::ContextState>(
            [expires_at](shard::ContextState* state) { state->expires_at = expires_at; });
      }
      cluster_.shard(1).Fail<shard::Describe>(NotHeld());
    }
  }

  LocalCluster cluster_;
  Sample sample_;
  std::string fingerprint_;
};

TEST_F(LeaseTest, ACreationTellsAllShardsOneExpiryAndDurability) {
  const absl::Time before = absl::Now();
  ASSERT_TRUE(coordinator()
                  .CreateContext(Name("b"), fingerprint_, Unhurried(),
                                 {.durability = Durability::kMemory, .ttl = kTtl})
                  .ok());
  const absl::Time told = ToldExpiry<shard::CreateContext>();
  EXPECT_GE(told, before + kTtl);
  EXPECT_LE(told, absl::Now() + kTtl);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster_.shard(i).last<shard::CreateContext>().durability, Durability::kMemory);
  }
}

TEST_F(LeaseTest, WhatIsLeftOpenIsTheShardsChoiceAndNeverExpires) {
  ASSERT_TRUE(coordinator().CreateContext(Name("b"), fingerprint_, Unhurried()).ok());
  EXPECT_EQ(ToldExpiry<shard::CreateContext>(), absl::InfiniteFuture());
  EXPECT_EQ(cluster_.shard(1).last<shard::CreateContext>().durability, Durability::kDefault);
  ASSERT_TRUE(coordinator().ForkContext(Name(), 5, "f", Unhurried()).ok());
  EXPECT_EQ(ToldExpiry<shard::ForkContext>(), absl::InfiniteFuture());
}

TEST_F(LeaseTest, AForkHasALeaseOfItsOwn) {
  const absl::Time before = absl::Now();
  ASSERT_TRUE(coordinator().ForkContext(Name(), 5, "f", Unhurried(), kTtl).ok());
  EXPECT_GE(ToldExpiry<shard::ForkContext>(), before + kTtl);
  EXPECT_LE(ToldExpiry<shard::ForkContext>(), absl::Now() + kTtl);
}

TEST_F(LeaseTest, ARenewalCountsFromNow) {
  const absl::Time before = absl::Now();
  ASSERT_TRUE(maintenance().RenewLease(Name(), kTtl, Unhurried()).ok());
  EXPECT_GE(ToldExpiry<shard::RenewLease>(), before + kTtl);
  EXPECT_LE(ToldExpiry<shard::RenewLease>(), absl::Now() + kTtl);
  EXPECT_EQ(cluster_.shard(2).last<shard::RenewLease>().context_id, "t/a");
  const ContextInfo info = coordinator().DescribeContext(Name(), Unhurried())->first;
  EXPECT_GT(info.expires_in, kTtl - absl::Minutes(1));
  EXPECT_LE(info.expires_in, kTtl);
  ASSERT_TRUE(maintenance().RenewLease(Name(), absl::InfiniteDuration(), Unhurried()).ok());
  EXPECT_EQ(ToldExpiry<shard::RenewLease>(), absl::InfiniteFuture());
  EXPECT_EQ(coordinator().DescribeContext(Name(), Unhurried())->first.expires_in,
            absl::InfiniteDuration());
}

TEST_F(LeaseTest, WhatIsUnknownIsNeitherRenewedNorPinned) {
  for (const absl::Status& status :
       {maintenance().RenewLease(Name("x"), kTtl, Unhurried()),
        maintenance().PinContext(Name("x"), kTtl, Unhurried()),
        maintenance().RenewLease({.tenant = "u", .context_id = "a"}, kTtl, Unhurried())}) {
    ExpectError(status, StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  }
  ExpectError(maintenance().RenewLease(Name("a/b"), kTtl, Unhurried()),
              StatusCode::kInvalidArgument, "BAD_FIELD");
  EXPECT_EQ(cluster_.shard(0).calls<shard::RenewLease>(), 0);
  EXPECT_EQ(cluster_.shard(0).calls<shard::PinContext>(), 0);
}

TEST_F(LeaseTest, AnExpiredContextIsUnknownThoughSomeShardsHoldItStill) {
  const SampleQuery query = sample_.Query({kEntries});
  const auto expire = [this] { LoseOnOneShard(absl::Now() + absl::Seconds(1)); };
  expire();
  ExpectError(coordinator().DescribeContext(Name(), Unhurried()).status(), StatusCode::kNotFound,
              "UNKNOWN_CONTEXT");
  expire();
  ExpectError(maintenance().RenewLease(Name(), kTtl, Unhurried()), StatusCode::kNotFound,
              "UNKNOWN_CONTEXT");
  expire();
  cluster_.shard(1).Fail<shard::Select>(NotHeld());
  ExpectError(coordinator()
                  .Select({.context = Name(), .source = IndexQueryOf(query)}, Unhurried())
                  .status(),
              StatusCode::kNotFound, "UNKNOWN_CONTEXT");
}

TEST_F(LeaseTest, AContextWithTimeLeftIsLostAndNotExpired) {
  LoseOnOneShard(absl::Now() + kTtl, 4);
  ExpectError(coordinator().DescribeContext(Name(), Unhurried()).status(), StatusCode::kDataLoss,
              "MISSING_CONTEXT");
}

// The parts end at different moments, as on machines whose clocks differ: who makes the context
// anew gets a new one on all shards.
TEST_F(LeaseTest, WhatIsAboutToExpireIsNotTakenForTheNextContext) {
  const absl::Time now = absl::Now();
  for (uint32_t i = 0; i < 3; ++i) {
    const absl::Time expires_at = i == 0 ? now : now + absl::Seconds(1);
    ASSERT_TRUE(cluster_.shard(i)
                    .Ask(shard::RenewLease{.context_id = "t/a", .expires_at = expires_at})
                    .ok());
  }
  ASSERT_TRUE(coordinator().CreateContext(Name(), fingerprint_, Unhurried()).ok());
  EXPECT_EQ(cluster_.Entries(), 0u);
  absl::SleepFor(absl::Milliseconds(1200));
  EXPECT_EQ(cluster_.Entries(), 0u);
}

TEST_F(LeaseTest, AShortLeaseIsNotOverAsSoonAsItBegins) {
  const ContextOptions options = {.ttl = absl::Seconds(3)};
  ASSERT_TRUE(coordinator().CreateContext(Name("b"), fingerprint_, Unhurried(), options).ok());
  ASSERT_TRUE(cluster_.Append(sample_, 0, 100, "b").ok());
  ASSERT_TRUE(coordinator().CreateContext(Name("b"), fingerprint_, Unhurried(), options).ok());
  EXPECT_EQ(cluster_.Entries("b"), 100u);
}

TEST_F(LeaseTest, ARenewalThatCameTooLateForOneShardIsTakenBack) {
  ASSERT_TRUE(maintenance().RenewLease(Name(), absl::Hours(2), Unhurried()).ok());
  const absl::Time first = ToldExpiry<shard::RenewLease>();
  cluster_.shard(1).Fail<shard::RenewLease>(NotHeld());
  ExpectError(maintenance().RenewLease(Name(), absl::Hours(9), Unhurried()), StatusCode::kNotFound,
              "UNKNOWN_CONTEXT");
  // To the microsecond that the shards keep.
  EXPECT_LT(absl::AbsDuration(ToldExpiry<shard::RenewLease>() - first), absl::Milliseconds(1));
}

TEST_F(LeaseTest, ARenewalThatFailedIsFinishedByRepeatingIt) {
  cluster_.shard(1).Fail<shard::RenewLease>(Gone());
  ExpectError(maintenance().RenewLease(Name(), kTtl, Unhurried()), StatusCode::kUnavailable,
              "GONE");
  EXPECT_TRUE(maintenance().RenewLease(Name(), kTtl, Unhurried()).ok());
}

TEST_F(LeaseTest, APinIsOnAllShardsOrOnNone) {
  ASSERT_TRUE(maintenance().PinContext(Name(), kTtl, Unhurried()).ok());
  EXPECT_TRUE(coordinator().DescribeContext(Name(), Unhurried())->first.pinned);
  ASSERT_TRUE(maintenance().UnpinContext(Name(), Unhurried()).ok());
  EXPECT_FALSE(coordinator().DescribeContext(Name(), Unhurried())->first.pinned);
  cluster_.shard(2).Fail<shard::PinContext>(
      Error(StatusCode::kResourceExhausted, "MEMORY_BUDGET", "no room"));
  ExpectError(maintenance().PinContext(Name(), kTtl, Unhurried()), StatusCode::kResourceExhausted,
              "MEMORY_BUDGET");
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster_.shard(i).last<shard::PinContext>().until, absl::InfinitePast());
  }
}

TEST_F(LeaseTest, APinEndsByItself) {
  ASSERT_TRUE(maintenance().PinContext(Name(), absl::Hours(1), Unhurried()).ok());
  ContextInfo info = coordinator().DescribeContext(Name(), Unhurried())->first;
  EXPECT_TRUE(info.pinned);
  EXPECT_GT(info.pinned_for, absl::Minutes(59));
  EXPECT_LE(info.pinned_for, absl::Hours(1));
  ASSERT_TRUE(maintenance().PinContext(Name(), absl::Milliseconds(1), Unhurried()).ok());
  absl::SleepFor(absl::Milliseconds(2));
  EXPECT_FALSE(coordinator().DescribeContext(Name(), Unhurried())->first.pinned);
  ASSERT_TRUE(maintenance().PinContext(Name(), absl::InfiniteDuration(), Unhurried()).ok());
  info = coordinator().DescribeContext(Name(), Unhurried())->first;
  EXPECT_TRUE(info.pinned);
  EXPECT_EQ(info.pinned_for, absl::InfiniteDuration());
}

TEST_F(LeaseTest, APinThatDidNotReachEveryShardIsNoPin) {
  cluster_.shard(2).Fail<shard::PinContext>(Gone());
  ExpectError(maintenance().PinContext(Name(), kTtl, Unhurried()), StatusCode::kUnavailable,
              "GONE");
  EXPECT_FALSE(coordinator().DescribeContext(Name(), Unhurried())->first.pinned);
}

TEST_F(LeaseTest, DescribeTellsTheLeastThatMayBeReliedOnAndTheSumOfBytes) {
  for (uint32_t i = 0; i < 3; ++i) {
    cluster_.shard(i).EditResult<shard::Describe, shard::ContextState>(
        [i](shard::ContextState* state) {
          state->durability = i == 1 ? Durability::kLogged : Durability::kSynced;
          state->pinned_until = i == 2 ? absl::Now() : absl::InfiniteFuture();
          state->expires_at = absl::Now() + absl::Hours(3 - i);
          state->resident_index_bytes = 1 + i;
          state->resident_kv_bytes = 10 + i;
          state->stored_bytes = 100 + i;
        });
  }
  const ContextInfo info = coordinator().DescribeContext(Name(), Unhurried())->first;
  EXPECT_EQ(info.durability, Durability::kLogged);
  EXPECT_FALSE(info.pinned);
  EXPECT_GT(info.expires_in, absl::Minutes(50));
  EXPECT_LE(info.expires_in, absl::Hours(1));
  EXPECT_EQ(info.resident_index_bytes, 6u);
  EXPECT_EQ(info.resident_kv_bytes, 33u);
  EXPECT_EQ(info.stored_bytes, 303u);
}

}  // namespace
}  // namespace winnow::coordinator
