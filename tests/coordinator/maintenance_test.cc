// Tiers and snapshots: ranges of stripes that every shard works on.
#include "services/coordinator/maintenance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "tests/support/local_cluster.h"
#include "tests/support/temp_dir.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace winnow::testing;

constexpr uint32_t kEntries = 2 * kStripeEntries + 75;

// A context of three stripes on three shards, which say what the test tells them to.
class MaintenanceTest : public ::testing::Test {
 protected:
  MaintenanceTest() : cluster_(3), sample_(TinyProfile(), kEntries, kernels::TestSeed()) {
    cluster_.Load(sample_);
  }

  const Maintenance& maintenance() { return cluster_.coordinator().maintenance(); }

  // [shards] the answer of each to its next call of that kind.
  template <typename Call, typename Result>
  void Answer(const std::vector<Result>& results) {
    for (uint32_t i = 0; i < 3; ++i) cluster_.shard(i).Answer<Call>(results[i]);
  }

  LocalCluster cluster_;
  Sample sample_;
};

TEST_F(MaintenanceTest, ATierSumsUpWhatTheShardsMovedAndGoesOnAtTheirFirst) {
  Answer<shard::Tier, shard::TierResult>({{.index_bytes = 1, .kv_bytes = 10, .next_stripe = 9},
                                          {.index_bytes = 2, .kv_bytes = 20, .next_stripe = 0},
                                          {.index_bytes = 4, .kv_bytes = 40, .next_stripe = 7}});
  const TierReply reply = maintenance()
                              .Tier({.action = shard::TierAction::kRestore,
                                     .context = Name(),
                                     .index = false,
                                     .first_stripe = 2,
                                     .stripes = 5},
                                    Unhurried())
                              .value();
  EXPECT_EQ(reply.index_bytes, 7u);
  EXPECT_EQ(reply.kv_bytes, 70u);
  EXPECT_EQ(reply.next_stripe, 7u);
  EXPECT_EQ(reply.total_stripes, 3u);
  for (uint32_t i = 0; i < 3; ++i) {
    const auto call = cluster_.shard(i).last<shard::Tier>();
    EXPECT_EQ(call.action, shard::TierAction::kRestore);
    EXPECT_EQ(call.context_id, "t/a");
    EXPECT_TRUE(!call.index && call.kv);
    EXPECT_EQ(call.first_stripe, 2u);
    EXPECT_EQ(call.stripes, 5u);
  }
}

TEST_F(MaintenanceTest, DamageIsListedWithItsShard) {
  Answer<shard::Tier, shard::TierResult>(
      {{}, {.corrupt = {"page one", "page two"}}, {.corrupt = {"page three"}}});
  const auto reply =
      maintenance().Tier({.action = shard::TierAction::kVerify, .context = Name()}, Unhurried());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->corrupt,
              ElementsAre("shard 1: page one", "shard 1: page two", "shard 2: page three"));
  EXPECT_EQ(reply->next_stripe, 0u);
}

TEST_F(MaintenanceTest, HowManyStripesIsChosenByTheirBytes) {
  Answer<shard::Tier, shard::TierResult>({{}, {}, {}});
  ASSERT_TRUE(maintenance().Tier({.context = Name()}, Unhurried()).ok());
  EXPECT_EQ(cluster_.shard(0).last<shard::Tier>().stripes, 64u);
}

TEST_F(MaintenanceTest, OneShardsErrorIsTheCalls) {
  for (const uint32_t i : {0u, 2u}) cluster_.shard(i).Answer<shard::Tier>(shard::TierResult{});
  cluster_.shard(1).Fail<shard::Tier>(Gone());
  ExpectError(maintenance().Tier({.context = Name()}, Unhurried()).status(),
              StatusCode::kUnavailable, "GONE");
}

TEST_F(MaintenanceTest, WhatIsPinnedIsRestoredAndVerifiedButNotSpilled) {
  ASSERT_TRUE(maintenance().PinContext(Name(), absl::InfiniteDuration(), Unhurried()).ok());
  ExpectError(maintenance().Tier({.context = Name()}, Unhurried()).status(),
              StatusCode::kFailedPrecondition, "CONTEXT_PINNED");
  EXPECT_EQ(cluster_.shard(0).calls<shard::Tier>(), 0);
  for (const auto action : {shard::TierAction::kRestore, shard::TierAction::kVerify}) {
    Answer<shard::Tier, shard::TierResult>({{}, {}, {}});
    EXPECT_TRUE(maintenance().Tier({.action = action, .context = Name()}, Unhurried()).ok());
  }
}

TEST_F(MaintenanceTest, WhatIsUnknownReachesNoShard) {
  ExpectError(maintenance().Tier({.context = Name("x")}, Unhurried()).status(),
              StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  ExpectError(
      maintenance().SaveSnapshot({.context = Name("x"), .directory = "/d"}, Unhurried()).status(),
      StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  ExpectError(
      maintenance().LoadSnapshot({.context = Name("a/b"), .directory = "/d"}, Unhurried()).status(),
      StatusCode::kInvalidArgument, "BAD_FIELD");
  EXPECT_EQ(cluster_.shard(0).calls<shard::Tier>(), 0);
  EXPECT_EQ(cluster_.shard(0).calls<shard::SaveSnapshot>(), 0);
  EXPECT_EQ(cluster_.shard(0).calls<shard::LoadSnapshot>(), 0);
}

TEST_F(MaintenanceTest, NamesAreThoseOfAllShards) {
  Answer<shard::ListTenants, shard::NamesResult>({{{"b", "c"}}, {{}}, {{"a", "b"}}});
  EXPECT_THAT(maintenance().ListTenants(Unhurried()).value(), ElementsAre("a", "b", "c"));
  Answer<shard::ListSnapshots, shard::NamesResult>(
      {{{"t/a", "t/c"}}, {{"lost+found/.x", "t", "t/..", "t/a/b"}}, {{"t/b", "t/c"}}});
  std::vector<std::string> names;
  const auto snapshots = maintenance().ListSnapshots("/d", Unhurried());
  for (const ContextName& name : *snapshots) {
    names.push_back(name.tenant + " " + name.context_id);
  }
  EXPECT_THAT(names, ElementsAre("t a", "t b", "t c"));
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster_.shard(i).last<shard::ListSnapshots>().part, absl::StrCat("shard-", i));
  }
  cluster_.shard(1).Fail<shard::ListTenants>(Gone());
  ExpectError(maintenance().ListTenants(Unhurried()).status(), StatusCode::kUnavailable, "GONE");
  for (const uint32_t i : {0u, 2u}) {
    cluster_.shard(i).Answer<shard::ListSnapshots>(shard::NamesResult{});
  }
  cluster_.shard(1).Fail<shard::ListSnapshots>(Gone());
  ExpectError(maintenance().ListSnapshots("/d", Unhurried()).status(), StatusCode::kUnavailable,
              "GONE");
}

TEST_F(MaintenanceTest, AShardThatWouldGoOnInsideTheRangeIsRefused) {
  Answer<shard::Tier, shard::TierResult>({{}, {.next_stripe = 6}, {}});
  ExpectError(maintenance()
                  .Tier({.context = Name(), .first_stripe = 2, .stripes = 5}, Unhurried())
                  .status(),
              StatusCode::kInternal, "BAD_REPLY");
  Answer<shard::SaveSnapshot, shard::SnapshotResult>({{}, {.next_stripe = 1}, {}});
  ExpectError(maintenance()
                  .SaveSnapshot({.context = Name(), .directory = "/d", .stripes = 2}, Unhurried())
                  .status(),
              StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(MaintenanceTest, ASnapshotIsFinishedOnceEveryShardHasWrittenAll) {
  const SnapshotRequest first = {.context = Name(), .directory = "/d/", .stripes = 2};
  Answer<shard::SaveSnapshot, shard::SnapshotResult>(
      {{.bytes = 1, .next_stripe = 0}, {.bytes = 2, .next_stripe = 2}, {.bytes = 4}});
  const SnapshotReply begun = maintenance().SaveSnapshot(first, Unhurried()).value();
  EXPECT_EQ(begun.bytes, 7u);
  EXPECT_EQ(begun.next_stripe, 2u);
  EXPECT_EQ(begun.total_stripes, 3u);
  for (uint32_t i = 0; i < 3; ++i) {
    ASSERT_EQ(cluster_.shard(i).calls<shard::SaveSnapshot>(), 1) << "it is not finished yet";
    const auto call = cluster_.shard(i).last<shard::SaveSnapshot>();
    EXPECT_EQ(call.context_id, "t/a");
    EXPECT_EQ(call.directory, absl::StrCat("/d//shard-", i));
    EXPECT_EQ(call.first_stripe, 0u);
    EXPECT_EQ(call.stripes, 2u);
    EXPECT_EQ(call.entries, kEntries);
    EXPECT_EQ(call.shards, 3u);
    EXPECT_FALSE(call.finish);
  }
  SnapshotRequest second = first;
  second.first_stripe = 2;
  Answer<shard::SaveSnapshot, shard::SnapshotResult>({{.bytes = 1}, {.bytes = 2}, {.bytes = 4}});
  Answer<shard::SaveSnapshot, shard::SnapshotResult>({{.bytes = 10}, {.bytes = 20}, {.bytes = 40}});
  const SnapshotReply done = maintenance().SaveSnapshot(second, Unhurried()).value();
  EXPECT_EQ(done.bytes, 77u);
  EXPECT_EQ(done.next_stripe, 0u);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster_.shard(i).calls<shard::SaveSnapshot>(), 3);
    const auto call = cluster_.shard(i).last<shard::SaveSnapshot>();
    EXPECT_TRUE(call.finish);
    EXPECT_EQ(call.stripes, 0u);
    EXPECT_EQ(call.directory, absl::StrCat("/d//shard-", i));
  }
}

TEST_F(MaintenanceTest, ASnapshotThatLacksAShardIsNotFinishedOnAny) {
  for (uint32_t i = 0; i < 3; i += 2) {
    cluster_.shard(i).Answer<shard::SaveSnapshot>(shard::SnapshotResult{});
  }
  cluster_.shard(1).Fail<shard::SaveSnapshot>(Gone());
  ExpectError(
      maintenance().SaveSnapshot({.context = Name(), .directory = "/d"}, Unhurried()).status(),
      StatusCode::kUnavailable, "GONE");
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(cluster_.shard(i).calls<shard::SaveSnapshot>(), 1);
}

TEST_F(MaintenanceTest, ASnapshotThatIsNotFinishedOnEveryShardIsFinishedByRepeatingIt) {
  const TempDir dir;
  for (const bool done : {false, true}) {
    const SnapshotRequest save = {.context = Name(), .directory = dir.File(done ? "b" : "a")};
    FakeShard& shard = cluster_.shard(1);
    if (done) {
      shard.LoseAnswer<shard::SaveSnapshot>(Gone(), /*after=*/1);
    } else {
      shard.Fail<shard::SaveSnapshot>(Gone(), /*after=*/1);
    }
    ExpectError(maintenance().SaveSnapshot(save, Unhurried()).status(), StatusCode::kUnavailable,
                "GONE");
    const auto again = maintenance().SaveSnapshot(save, Unhurried());
    ASSERT_TRUE(again.ok()) << again.status();
    const std::string copy = done ? "copy-b" : "copy-a";
    SnapshotRequest load = {.context = Name(copy), .directory = save.directory};
    do {
      const auto loaded = maintenance().LoadSnapshot(load, Unhurried());
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      load.first_stripe = loaded->next_stripe;
    } while (load.first_stripe != 0);
    EXPECT_EQ(cluster_.Entries(copy), kEntries);
  }
}

TEST_F(MaintenanceTest, ALoadAsksEachShardForItsOwnPart) {
  Answer<shard::LoadSnapshot, shard::SnapshotResult>(
      {{.bytes = 1, .next_stripe = 3, .total_stripes = 4},
       {.bytes = 2, .total_stripes = 2},
       {.bytes = 4, .next_stripe = 2, .total_stripes = 3}});
  const SnapshotReply reply =
      maintenance().LoadSnapshot({.context = Name("new"), .directory = "/d"}, Unhurried()).value();
  EXPECT_EQ(reply.bytes, 7u);
  EXPECT_EQ(reply.next_stripe, 2u);
  EXPECT_EQ(reply.total_stripes, 4u);
  for (uint32_t i = 0; i < 3; ++i) {
    const auto call = cluster_.shard(i).last<shard::LoadSnapshot>();
    EXPECT_EQ(call.context_id, "t/new");
    EXPECT_EQ(call.tenant, "t");
    EXPECT_EQ(call.shards, 3u);
    EXPECT_EQ(call.directory, absl::StrCat("/d/shard-", i));
    EXPECT_EQ(call.first_stripe, 0u);
    EXPECT_EQ(call.stripes, 1u) << "how large a stripe is shows with the first";
  }
}

TEST_F(MaintenanceTest, AfterTheFirstStripeALoadTakesAsManyAsFit) {
  Answer<shard::LoadSnapshot, shard::SnapshotResult>({{}, {}, {}});
  ASSERT_TRUE(
      maintenance()
          .LoadSnapshot({.context = Name(), .directory = "/d", .first_stripe = 1}, Unhurried())
          .ok());
  EXPECT_EQ(cluster_.shard(0).last<shard::LoadSnapshot>().stripes, 64u);
}

TEST_F(MaintenanceTest, ALoadThatLeftOutEntriesIsAnError) {
  cluster_.HolderOf("a", 1).EditResult<shard::Describe, shard::ContextState>(
      [](shard::ContextState* state) { state->layer_entries[0] -= 1; });
  Answer<shard::LoadSnapshot, shard::SnapshotResult>({{}, {}, {}});
  const absl::Status status =
      maintenance().LoadSnapshot({.context = Name(), .directory = "/d"}, Unhurried()).status();
  ExpectError(status, StatusCode::kDataLoss, "SNAPSHOT_INCOMPLETE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("8266 of the 8267 entries of layer 0"));
}

TEST_F(MaintenanceTest, QueriesTellWhatCameFromDisk) {
  for (uint32_t i = 0; i < 3; ++i) {
    cluster_.shard(i).EditResult<shard::Select, shard::SelectResult>(
        [i](shard::SelectResult* result) { result->cold_index_bytes = 100 + i; });
    cluster_.shard(i).EditResult<shard::Attend, shard::AttendResult>(
        [i](shard::AttendResult* result) {
          result->cold_rows = 10 + i;
          result->cached_rows = 1 + i;
        });
  }
  const SampleQuery query = sample_.Query({kEntries});
  const auto reply = cluster_.coordinator().Attend(AttendQueryOf(query), Unhurried());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->stats.cold_index_bytes, 303u);
  EXPECT_EQ(reply->stats.cold_rows, 33u);
  EXPECT_EQ(reply->stats.cached_rows, 6u);
}

}  // namespace
}  // namespace winnow::coordinator
