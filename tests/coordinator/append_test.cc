#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace winnow::testing;

constexpr LayerKind kOwn = LayerKind::kOwn;
constexpr LayerKind kShared = LayerKind::kShared;
constexpr uint32_t kStripe = kStripeEntries;

// Four stripes of two layers over three shards.
class AppendTest : public ::testing::Test {
 protected:
  AppendTest()
      : cluster_(3), sample_(TinyProfile({kOwn, kShared}), 3 * kStripe + 100, kernels::TestSeed()) {
    cluster_.Create(sample_);
  }

  // Entries with one bit of one entry's KV row in the shared layer changed.
  absl::Status AppendChanged(uint32_t start, uint32_t count, uint32_t position) {
    const LayerBytes good = sample_.Layer(1, start, count);
    std::vector<std::byte> rows(good.kv_rows.begin(), good.kv_rows.end());
    rows[(position - start) * 96] ^= std::byte{1};
    return cluster_.coordinator()
        .Append({.context = Name(),
                 .start_position = start,
                 .count = count,
                 .layers = {sample_.Layer(0, start, count), {.layer = 1, .kv_rows = rows}}},
                Unhurried())
        .status();
  }

  LocalCluster cluster_;
  Sample sample_;
};

TEST_F(AppendTest, InPiecesOfAnySizeIsTheSameContext) {
  kernels::RandomData random(kernels::TestSeed());
  for (uint32_t at = 0; at < sample_.entries();) {
    const uint32_t count = std::min<uint32_t>(random.Int(1, 5000), sample_.entries() - at);
    const auto reply = cluster_.Append(sample_, at, count).value();
    at += count;
    EXPECT_EQ(reply.end_position, at);
    EXPECT_EQ(reply.entries_written, 2u * count);
  }
  cluster_.ExpectHolds(sample_, sample_.entries());
}

TEST_F(AppendTest, ARepeatedAppendWritesNothing) {
  ASSERT_TRUE(cluster_.Append(sample_, 0, 9000).ok());
  for (const auto& [start, count] : {std::pair{0u, 9000u}, {100u, 50u}, {4000u, 5000u}}) {
    const auto reply = cluster_.Append(sample_, start, count).value();
    EXPECT_EQ(reply.entries_written, 0u);
    EXPECT_EQ(reply.end_position, start + count);
  }
  EXPECT_EQ(cluster_.Append(sample_, 100, 8950)->entries_written, 2u * 50);
  cluster_.ExpectHolds(sample_, 9050);
}

TEST_F(AppendTest, LayersOfDifferentLengthAreBroughtLevel) {
  ASSERT_TRUE(cluster_.coordinator()
                  .Append({.context = Name(), .count = 9000, .layers = {sample_.Layer(0, 0, 9000)}},
                          Unhurried())
                  .ok());
  EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(9000, 0));
  EXPECT_EQ(cluster_.Append(sample_, 0, 10000)->entries_written, 1000u + 10000u);
  EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(10000, 10000));
  cluster_.ExpectHolds(sample_, 10000);
}

TEST_F(AppendTest, AGapNamesWhereToResume) {
  // In the open stripe, over several, at a stripe's start and far away.
  ASSERT_TRUE(cluster_.Append(sample_, 0, 4000).ok());
  for (const auto& [start, count] : {std::pair{4001u, 5u},
                                     {4050u, 5000u},
                                     {kStripe, 10u},
                                     {2 * kStripe + 5, 10u},
                                     {kStripe, 5000u}}) {
    const absl::Status status = cluster_.Append(sample_, start, count).status();
    ExpectError(status, StatusCode::kOutOfRange, "APPEND_GAP");
    EXPECT_EQ(ErrorFacts(status)["resume_position"], "4000") << start;
  }
  EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(4000, 4000));
}

TEST_F(AppendTest, AGapInOneLayerNamesThatLayer) {
  ASSERT_TRUE(
      cluster_.coordinator()
          .Append({.context = Name(), .count = kStripe, .layers = {sample_.Layer(0, 0, kStripe)}},
                  Unhurried())
          .ok());
  for (const uint32_t count : {10u, 5000u}) {
    const absl::Status status = cluster_.Append(sample_, kStripe, count).status();
    ExpectError(status, StatusCode::kOutOfRange, "APPEND_GAP");
    EXPECT_EQ(ErrorFacts(status)["resume_position"], "0");
    EXPECT_EQ(ErrorFacts(status)["layer"], "1");
  }
  EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(kStripe, 0));
}

TEST_F(AppendTest, AConflictWithAnotherWriterTellsWhatIsStored) {
  Sample other(*sample_.profile(), sample_.entries(), kernels::TestSeed() + 1);
  cluster_.HolderOf("a", 0).Edit<shard::Append>(
      [&](shard::Result*) { EXPECT_TRUE(cluster_.Append(other, kStripe, 10).ok()); });
  const absl::Status status = cluster_.Append(sample_, 0, kStripe + 20).status();
  ExpectError(status, StatusCode::kAborted, "APPEND_CONFLICT");
  EXPECT_EQ(ErrorFacts(status)["position"], absl::StrCat(kStripe));
  EXPECT_THAT(std::string(status.message()), HasSubstr("what comes before 4096 is stored"));
  EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(kStripe + 10, kStripe + 10));
}

TEST_F(AppendTest, AConflictNamesThePositionAndChangesNoStripe) {
  ASSERT_TRUE(cluster_.Append(sample_, 0, 9000).ok());
  // In a later stripe than the first and in the only one; each call would also add entries.
  for (const auto& [start, count, position] :
       {std::tuple{4000u, 6000u, 8500u}, {0u, 10000u, 3u}, {8990u, 20u, 8991u}}) {
    const absl::Status status = AppendChanged(start, count, position);
    ExpectError(status, StatusCode::kAborted, "APPEND_CONFLICT");
    EXPECT_EQ(ErrorFacts(status)["position"], std::to_string(position));
    EXPECT_EQ(ErrorFacts(status)["layer"], "1");
    EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(9000, 9000));
  }
  cluster_.ExpectHolds(sample_, 9000);
}

TEST_F(AppendTest, AShardThatFailsInTheMiddleLeavesAPrefixAndResendingFinishes) {
  ASSERT_TRUE(cluster_.Append(sample_, 0, 4000).ok());
  cluster_.HolderOf("a", 2).Fail<shard::Append>(Gone());
  const uint32_t rest = sample_.entries() - 4000;
  ExpectError(cluster_.Append(sample_, 4000, rest).status(), StatusCode::kUnavailable, "GONE");
  EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(2 * kStripe, 2 * kStripe));
  cluster_.ExpectHolds(sample_, 2 * kStripe);
  EXPECT_EQ(cluster_.Append(sample_, 4000, rest)->entries_written, 2u * (kStripe + 100));
  cluster_.ExpectHolds(sample_, sample_.entries());
}

TEST_F(AppendTest, ALostAcknowledgementIsMadeGoodByResending) {
  cluster_.HolderOf("a", 2).LoseAnswer<shard::Append>(Gone());
  ExpectError(cluster_.Append(sample_, 0, sample_.entries()).status(), StatusCode::kUnavailable,
              "GONE");
  cluster_.ExpectHolds(sample_, 3 * kStripe);
  EXPECT_EQ(cluster_.Append(sample_, 0, sample_.entries())->entries_written, 2u * 100);
  cluster_.ExpectHolds(sample_, sample_.entries());
}

TEST_F(AppendTest, AShardThatNeverAnswersStopsTheAppendAtTheDeadline) {
  cluster_.HolderOf("a", 1).Drop<shard::Append>();
  const absl::Time start = absl::Now();
  ExpectError(cluster_.coordinator()
                  .Append({.context = Name(),
                           .count = sample_.entries(),
                           .layers = sample_.Layers(0, sample_.entries())},
                          start + absl::Milliseconds(200))
                  .status(),
              StatusCode::kDeadlineExceeded, "DEADLINE");
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  cluster_.ExpectHolds(sample_, kStripe);
}

TEST_F(AppendTest, AnotherKindOfAnswerIsABadReply) {
  cluster_.HolderOf("a", 0).Edit<shard::Append>(
      [](shard::Result* result) { *result = shard::PingResult{}; });
  ExpectError(cluster_.Append(sample_, 0, 10).status(), StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(AppendTest, WhatIsRefusedAtTheDoorReachesNoShard) {
  const AppendEntries good{.context = Name(), .count = 10, .layers = sample_.Layers(0, 10)};
  std::vector<std::byte> keys(good.layers[0].index_keys.begin(), good.layers[0].index_keys.end());
  keys[36 * 4] = std::byte{0x7f};
  std::vector<AppendEntries> bad(8, good);
  bad[0].count = 0;
  bad[1].count = 65537;
  bad[2].start_position = (uint64_t{1} << 31) - 9;
  bad[3].layers.clear();
  bad[4].layers.push_back(good.layers[0]);
  bad[5].layers[0].layer = 2;
  bad[6].layers[0].index_keys = good.layers[0].index_keys.first(9 * 36);
  bad[7].layers[0].index_keys = keys;
  for (size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectError(cluster_.coordinator().Append(bad[i], Unhurried()).status(),
                StatusCode::kInvalidArgument, i == 7 ? "NOT_FINITE" : "BAD_FIELD");
  }
  for (uint32_t shard = 0; shard < 3; ++shard) {
    EXPECT_EQ(cluster_.shard(shard).calls<shard::Append>(), 0);
  }
  EXPECT_TRUE(cluster_.coordinator().Append(good, Unhurried()).ok());
}

TEST_F(AppendTest, AContextMadeAnewByAnotherCoordinatorIsNoticed) {
  ASSERT_TRUE(cluster_.Append(sample_, 0, 10).ok());
  const auto other = cluster_.NewCoordinator();
  const Sample shallow(TinyProfile(), 9000, kernels::TestSeed() + 1);
  ASSERT_TRUE(other->DeleteContext(Name(), Unhurried()).ok());
  const std::string fingerprint = other->RegisterProfile(*shallow.profile()).value();
  ASSERT_TRUE(other->CreateContext(Name(), fingerprint, Unhurried()).ok());
  // The layer that is gone is refused by the new profile, in one stripe and in several.
  for (const uint32_t count : {10u, 9000u}) {
    ExpectError(cluster_.Append(sample_, 0, count).status(), StatusCode::kInvalidArgument,
                "BAD_FIELD");
  }
  EXPECT_THAT(cluster_.LayerEntries(), ElementsAre(0));
  EXPECT_EQ(cluster_.Append(shallow, 0, 9000)->entries_written, 9000u);
}

}  // namespace
}  // namespace winnow::coordinator
