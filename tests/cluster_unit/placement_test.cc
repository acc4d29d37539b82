#include "services/cluster/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "tests/kernels/random_data.h"

namespace winnow::cluster {
namespace {

constexpr uint64_t kLastKey = std::numeric_limits<uint64_t>::max();
constexpr uint32_t kLastStripe = std::numeric_limits<uint32_t>::max();

TEST(ClusterMap, DealsSlotsOutInTurn) {
  const ClusterMap map = ClusterMap::Static(3, 7);
  EXPECT_EQ(map.shards(), 3u);
  EXPECT_EQ(map.epoch(), 7u);
  for (uint32_t slot = 0; slot < kSlots; ++slot) ASSERT_EQ(map.ShardOfSlot(slot), slot % 3);
}

TEST(ClusterMap, GivesEveryShardItsShareOfSlots) {
  for (const uint32_t shards : {1u, 2u, 3u, 4u, 7u, 64u, 1000u, 4095u, 4096u}) {
    const ClusterMap map = ClusterMap::Static(shards, 1);
    uint32_t total = 0;
    for (uint32_t shard = 0; shard < shards; ++shard) {
      const uint32_t count = map.SlotCount(shard);
      EXPECT_GE(count, kSlots / shards);
      EXPECT_LE(count, kSlots / shards + 1);
      total += count;
    }
    EXPECT_EQ(total, kSlots) << shards;
    EXPECT_EQ(map.SlotCount(shards), 0u) << shards;
  }
}

TEST(ClusterMap, IsTheSameEverywhere) {
  const ClusterMap one = ClusterMap::Static(5, 1);
  const ClusterMap two = ClusterMap::Static(5, 2);
  EXPECT_EQ(two.epoch(), 2u);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    ASSERT_EQ(one.ShardOfSlot(slot), two.ShardOfSlot(slot));
  }
}

TEST(ClusterMap, PutsConsecutiveSlotsOnDifferentShards) {
  for (uint32_t shards = 2; shards <= 64; ++shards) {
    const ClusterMap map = ClusterMap::Static(shards, 1);
    for (uint32_t slot = 0; slot + 1 < kSlots; ++slot) {
      ASSERT_NE(map.ShardOfSlot(slot), map.ShardOfSlot(slot + 1)) << shards << " " << slot;
    }
  }
}

TEST(PlacementKey, IsTheHashThatStoredPlacementsRelyOn) {
  EXPECT_EQ(PlacementKey(""), 0x2d06800538d394c2u);
  EXPECT_EQ(PlacementKey("context-1"), 0xdcc941a645062b17u);
  EXPECT_EQ(PlacementKey("0123456789abcdef0123456789abcdef"), 0x01121d5b6c0ac055u);
}

TEST(PlacementKey, SpreadsContextsOverAllShards) {
  const ClusterMap map = ClusterMap::Static(8, 1);
  std::vector<int> contexts(8);
  for (int i = 0; i < 8000; ++i) {
    ++contexts[map.ShardOfSlot(SlotOf(PlacementKey("context-" + std::to_string(i)), 0))];
  }
  // Within six standard deviations of a fair deal.
  EXPECT_GT(*std::min_element(contexts.begin(), contexts.end()), 1000 - 180);
  EXPECT_LT(*std::max_element(contexts.begin(), contexts.end()), 1000 + 180);
}

TEST(SlotOf, FollowsTheRingFromTheKey) {
  EXPECT_EQ(SlotOf(0, 0), 0u);
  EXPECT_EQ(SlotOf(4095, 0), 4095u);
  EXPECT_EQ(SlotOf(4096, 0), 0u);
  EXPECT_EQ(SlotOf(0xdcc941a645062b17u, 0), 0xb17u);
  EXPECT_EQ(SlotOf(0xdcc941a645062b17u, 5), 0xb1cu);
}

TEST(SlotOf, WrapsAroundAfterTheLastSlot) {
  EXPECT_EQ(SlotOf(4095, 1), 0u);
  EXPECT_EQ(SlotOf(4000, 100), 4u);
  EXPECT_EQ(SlotOf(17, kSlots), 17u);
  EXPECT_EQ(SlotOf(0, kLastStripe), 4095u);
  EXPECT_EQ(SlotOf(1, kLastStripe), 0u);
}

TEST(SlotOf, WrapsAroundAfterTheLastKey) {
  EXPECT_EQ(SlotOf(kLastKey, 0), 4095u);
  EXPECT_EQ(SlotOf(kLastKey, 1), 0u);
  EXPECT_EQ(SlotOf(kLastKey, 2), 1u);
  EXPECT_EQ(SlotOf(kLastKey - 9, 20), 10u);
  EXPECT_EQ(SlotOf(kLastKey, kLastStripe), 4094u);
}

TEST(SlotOf, GivesEverySlotOneOfTheStripesOfARound) {
  kernels::RandomData random(kernels::TestSeed());
  const uint64_t key = PlacementKey(std::to_string(random.Int(0, 1 << 30)));
  std::vector<int> stripes(kSlots);
  for (uint32_t stripe = 0; stripe < kSlots; ++stripe) ++stripes[SlotOf(key, stripe)];
  EXPECT_EQ(stripes, std::vector<int>(kSlots, 1));
}

// Pairs of consecutive stripes, among the 4096 of one round of the ring, that share a shard.
int SharedPairs(uint32_t shards, uint64_t key) {
  const ClusterMap map = ClusterMap::Static(shards, 1);
  int pairs = 0;
  for (uint32_t stripe = 0; stripe < kSlots; ++stripe) {
    pairs += map.ShardOfSlot(SlotOf(key, stripe)) == map.ShardOfSlot(SlotOf(key, stripe + 1));
  }
  return pairs;
}

TEST(Placement, PutsConsecutiveStripesOnDifferentShards) {
  for (const uint64_t key : {uint64_t{0}, uint64_t{3840}, PlacementKey("context-1"), kLastKey}) {
    for (const uint32_t shards : {2u, 4u, 6u, 8u, 16u, 100u, 4096u}) {
      EXPECT_EQ(SharedPairs(shards, key), 0) << shards;
    }
  }
}

TEST(Placement, SharesAShardOnlyWhereTheRingClosesAndTheShardsDivideTheLastSlot) {
  for (const uint32_t shards : {3u, 5u, 7u, 9u, 13u, 15u, 4095u}) {
    EXPECT_EQ(SharedPairs(shards, PlacementKey("context-1")), 1) << shards;
    const ClusterMap map = ClusterMap::Static(shards, 1);
    EXPECT_EQ(map.ShardOfSlot(kSlots - 1), map.ShardOfSlot(0));
  }
}

}  // namespace
}  // namespace winnow::cluster
