#include "services/coordinator/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/sample.h"

namespace winnow::coordinator {
namespace {

using cluster::ClusterMap;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using winnow::testing::Sample;
using winnow::testing::TinyProfile;

TEST(PlanAppend, CutsAtStripesAndNamesTheirShards) {
  const ClusterMap map = ClusterMap::Static(3, 1);
  EXPECT_THAT(PlanAppend(map, 0, 0, 1), ElementsAre(AppendPiece{.count = 1}));
  EXPECT_THAT(PlanAppend(map, 0, 4095, 1), ElementsAre(AppendPiece{.offset = 4095, .count = 1}));
  EXPECT_THAT(PlanAppend(map, 1, 4000, 4300),
              ElementsAre(AppendPiece{1, 0, 4000, 96, 0}, AppendPiece{2, 1, 0, 4096, 96},
                          AppendPiece{0, 2, 0, 108, 4192}));
}

TEST(PlanAppend, ReachesTheLastPosition) {
  const uint64_t end = uint64_t{1} << 31;
  EXPECT_THAT(PlanAppend(ClusterMap::Static(1, 1), 5, end - 10, 10),
              ElementsAre(AppendPiece{0, 524287, 4086, 10, 0}));
}

TEST(PlanAppend, PiecesTileTheRangeOnTheStripesShards) {
  kernels::RandomData random(kernels::TestSeed());
  for (int round = 0; round < 500; ++round) {
    const ClusterMap map = ClusterMap::Static(random.Int(1, 9), 1);
    const uint64_t key = (uint64_t(random.Int(0, INT32_MAX)) << 33) + random.Int(0, INT32_MAX);
    const uint64_t start = random.Int(0, 100000);
    const uint32_t count = random.Int(1, 20000);
    uint64_t at = start;
    for (const AppendPiece& piece : PlanAppend(map, key, start, count)) {
      ASSERT_EQ(uint64_t{piece.stripe} * kStripeEntries + piece.offset, at);
      ASSERT_EQ(start + piece.first, at);
      ASSERT_GE(piece.count, 1u);
      ASSERT_LE(piece.offset + piece.count, kStripeEntries);
      ASSERT_EQ(piece.shard, map.ShardOfSlot((key + piece.stripe) % cluster::kSlots));
      at += piece.count;
    }
    ASSERT_EQ(at, start + count);
  }
}

TEST(BytesOfPiece, OfAllPiecesAreTheWholeAppend) {
  const Sample sample(TinyProfile({LayerKind::kOwn, LayerKind::kNone, LayerKind::kShared}), 9000,
                      kernels::TestSeed());
  const std::vector<LayerBytes> whole = sample.Layers(100, 8800);
  std::vector<std::vector<std::byte>> keys(2);
  std::vector<std::vector<std::byte>> rows(2);
  for (const AppendPiece& piece : PlanAppend(ClusterMap::Static(2, 1), 3, 100, 8800)) {
    const std::vector<LayerBytes> parts = BytesOfPiece(*sample.profile(), whole, piece);
    ASSERT_EQ(parts.size(), 2u);
    EXPECT_EQ(parts[0].layer, 0);
    EXPECT_EQ(parts[1].layer, 2);
    for (size_t i = 0; i < 2; ++i) {
      ASSERT_EQ(parts[i].kv_rows.size(), piece.count * 96);
      keys[i].insert(keys[i].end(), parts[i].index_keys.begin(), parts[i].index_keys.end());
      rows[i].insert(rows[i].end(), parts[i].kv_rows.begin(), parts[i].kv_rows.end());
    }
  }
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(std::ranges::equal(keys[i], whole[i].index_keys));
    EXPECT_TRUE(std::ranges::equal(rows[i], whole[i].kv_rows));
  }
  EXPECT_EQ(keys[0].size(), 8800u * 36);
  EXPECT_THAT(keys[1], IsEmpty());
}

TEST(PlanScan, GivesEachShardItsStripesInOrder) {
  EXPECT_THAT(PlanScan(ClusterMap::Static(2, 1), 1, 3 * 4096 + 1),
              ElementsAre(ElementsAre(1, 3), ElementsAre(0, 2)));
  EXPECT_THAT(PlanScan(ClusterMap::Static(2, 1), 0, 4096), ElementsAre(ElementsAre(0), IsEmpty()));
  EXPECT_THAT(PlanScan(ClusterMap::Static(2, 1), 0, 4097),
              ElementsAre(ElementsAre(0), ElementsAre(1)));
  EXPECT_THAT(PlanScan(ClusterMap::Static(3, 1), 2, 1),
              ElementsAre(IsEmpty(), IsEmpty(), ElementsAre(0)));
}

TEST(PlanScan, ScoresEveryStripeOnceWhereAppendsPutIt) {
  kernels::RandomData random(kernels::TestSeed());
  for (int round = 0; round < 200; ++round) {
    const ClusterMap map = ClusterMap::Static(random.Int(1, 9), 1);
    const uint64_t key = random.Int(0, INT32_MAX);
    const uint32_t visible = random.Int(1, 200000);
    std::vector<uint32_t> owner((visible + kStripeEntries - 1) / kStripeEntries, UINT32_MAX);
    const auto plan = PlanScan(map, key, visible);
    ASSERT_EQ(plan.size(), map.shards());
    for (uint32_t shard = 0; shard < plan.size(); ++shard) {
      ASSERT_TRUE(std::is_sorted(plan[shard].begin(), plan[shard].end()));
      for (const uint32_t stripe : plan[shard]) {
        ASSERT_LT(stripe, owner.size());
        ASSERT_EQ(owner[stripe], UINT32_MAX) << "scored twice";
        owner[stripe] = shard;
      }
    }
    for (const AppendPiece& piece : PlanAppend(map, key, 0, visible)) {
      ASSERT_EQ(owner[piece.stripe], piece.shard);
    }
  }
}

TEST(StripesAtOnce, AreThoseOfHalfAGibibyteButAtLeastOneAndAtMostSixtyFour) {
  EXPECT_EQ(StripesAtOnce(TinyProfile()), 64u);
  // 61 layers of 788 bytes: 197 MB each.
  EXPECT_EQ(StripesAtOnce(PresetProfile("deepseek-v3.2").value()), 2u);
  // A layer that shares its index stores rows alone, and one that stores nothing counts for none.
  Profile profile = PresetProfile("deepseek-v3.2").value();
  profile.layers.assign(20, LayerKind::kOwn);
  profile.layers.resize(40, LayerKind::kShared);
  profile.layers.resize(256, LayerKind::kNone);
  EXPECT_EQ(StripesAtOnce(profile), 536870912u / (4096 * 20 * (788 + 656)));
  profile.layers.assign(256, LayerKind::kOwn);
  EXPECT_EQ(StripesAtOnce(profile), 1u);
}

TEST(ChoosePath, MovesTheFewerBytes) {
  const Profile profile = TinyProfile();
  // A gathered row is 96 bytes. Pushing down moves, per shard and row, two heads of 96 bytes there
  // and 33 floats back: 456.
  const PathCost even{.winners = 456 * 2 * 3 / 96, .shards = 2, .query_rows = 3};
  EXPECT_EQ(ChoosePath(profile, even), AttendPath::kGather);
  PathCost more_winners = even;
  more_winners.winners += 1;
  EXPECT_EQ(ChoosePath(profile, more_winners), AttendPath::kPushDown);
  more_winners.shards = 3;
  EXPECT_EQ(ChoosePath(profile, more_winners), AttendPath::kGather);
}

TEST(ChoosePath, PushesDownWhereNothingIsMoved) {
  EXPECT_EQ(
      ChoosePath(TinyProfile(), {.winners = 1, .shards = 8, .query_rows = 64, .in_process = true}),
      AttendPath::kPushDown);
}

TEST(ChoosePath, PushesDownWhatIsTooLargeForAGather) {
  const Profile profile = PresetProfile("deepseek-v3.2").value();
  PathCost cost{.winners = (uint64_t{1} << 30) / profile.row_bytes(),
                .shards = 64,
                .query_rows = kernels::kMaxQueryRows};
  EXPECT_EQ(ChoosePath(profile, cost), AttendPath::kGather);
  ++cost.winners;
  EXPECT_EQ(ChoosePath(profile, cost), AttendPath::kPushDown);
}

TEST(ChoosePath, GathersFewRowsOfThePublishedShapeAndPushesManyDown) {
  const Profile profile = PresetProfile("deepseek-v3.2").value();
  // 2048 rows of 656 bytes against 128 heads of 3204 bytes from each shard.
  EXPECT_EQ(ChoosePath(profile, {.winners = 2048, .shards = 2, .query_rows = 1}),
            AttendPath::kPushDown);
  EXPECT_EQ(ChoosePath(profile, {.winners = 2048, .shards = 4, .query_rows = 1}),
            AttendPath::kGather);
}

}  // namespace
}  // namespace winnow::coordinator
