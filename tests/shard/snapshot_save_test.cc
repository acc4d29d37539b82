// How a snapshot is written, range by range, and what comes in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "storage/error.h"
#include "storage/snapshot_manifest.h"
#include "tests/shard/snapshot_shard.h"
#include "tests/support/pause.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;

TEST_F(ShardSnapshotTest, AnUnfinishedOneCannotBeLoadedAndAFinishedOneIsNotReplaced) {
  Create();
  Append(0, 10);
  ASSERT_TRUE(SaveRange(0, 10).ok());
  ExpectError(Load("t/again"), StatusCode::kNotFound, "NO_SNAPSHOT");
  Save(10);
  Append(10, 20);
  ExpectError(SaveRange(0, 20).status(), StatusCode::kAlreadyExists, "SNAPSHOT_EXISTS");
}

TEST_F(ShardSnapshotTest, WhatAFinishedOneHasMayBeSavedAgain) {
  Create();
  Append(0, kEntries);
  Save(kEntries);
  const std::string manifest = ReadFile(directory() + "/snapshot.json");
  for (const uint32_t stripe : {0u, 1u, 2u}) {
    const auto again = SaveRange(stripe, kEntries);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->bytes,
              std::filesystem::file_size(absl::StrFormat("%s/part-%06d.wns", directory(), stripe)));
    EXPECT_EQ(again->next_stripe, stripe == 2 ? 0 : stripe + 1);
  }
  EXPECT_TRUE(Finish().ok());
  EXPECT_EQ(ReadFile(directory() + "/snapshot.json"), manifest);
  ExpectError(SaveRange(3, kEntries).status(), StatusCode::kAlreadyExists, "SNAPSHOT_EXISTS");

  ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  Create();
  Append(0, kEntries);
  ExpectError(SaveRange(1, kEntries).status(), StatusCode::kAlreadyExists, "SNAPSHOT_EXISTS");
  ExpectError(Finish(), StatusCode::kAlreadyExists, "SNAPSHOT_EXISTS");
}

TEST_F(ShardSnapshotTest, PartsOfTwoContextsOfOneNameMakeNoSnapshot) {
  for (const Durability durability : {Durability::kLogged, Durability::kMemory}) {
    Create("t/a", durability);
    Append(0, kEntries);
    ASSERT_TRUE(SaveRange(0, kEntries).ok());
    ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
    Create("t/a", durability);
    Append(0, kEntries);
    ExpectError(SaveRange(1, kEntries).status(), StatusCode::kFailedPrecondition,
                "SNAPSHOT_OF_ANOTHER");
    ExpectError(Finish(), StatusCode::kFailedPrecondition, "SNAPSHOT_OF_ANOTHER");
    ASSERT_TRUE(SaveRange(0, kEntries).ok());
    EXPECT_TRUE(SaveRange(1, kEntries).ok());
    ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  }
}

TEST(ShardSnapshotWithoutADisk, PartsOfTwoContextsOfOneNameMakeNoSnapshot) {
  const TempDir snapshots;
  TestShard shard(TinyProfile(), kStripeEntries + 10);
  shard::SaveSnapshot save = {.context_id = "t/a",
                              .directory = snapshots.File("shard-0"),
                              .stripes = 1,
                              .entries = kStripeEntries + 10,
                              .shards = 1};
  const auto create = [&](const std::string& id) {
    ASSERT_TRUE(shard.Create(id).ok());
    ASSERT_TRUE(shard.Append(0, kStripeEntries, id).ok());
    ASSERT_TRUE(shard.Append(kStripeEntries, 10, id).ok());
  };
  create("t/a");
  ASSERT_TRUE(shard.Ask<shard::SnapshotResult>(save).ok());
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  create("t/a");
  create("t/b");
  save.first_stripe = 1;
  for (const char* id : {"t/a", "t/b"}) {
    save.context_id = id;
    ExpectError(shard.Ask<shard::SnapshotResult>(save).status(), StatusCode::kFailedPrecondition,
                "SNAPSHOT_OF_ANOTHER");
  }
}

TEST_F(ShardSnapshotTest, OneThatLacksARangeIsNotFinished) {
  Create();
  Append(0, kEntries);
  // Of two runs side by side, the later begins anew what the other goes on with.
  for (const uint32_t stripe : {0u, 1u, 0u, 2u}) ASSERT_TRUE(SaveRange(stripe, kEntries).ok());
  const absl::Status status = Finish();
  ExpectError(status, StatusCode::kFailedPrecondition, "SNAPSHOT_INCOMPLETE");
  EXPECT_EQ(ErrorFacts(status)["first_stripe"], "1");
  ExpectError(Load("t/again"), StatusCode::kNotFound, "NO_SNAPSHOT");
  for (const uint32_t stripe : {1u, 2u}) ASSERT_TRUE(SaveRange(stripe, kEntries).ok());
  ASSERT_TRUE(Finish().ok());
  ASSERT_TRUE(Load("t/again").ok());
  ExpectAnswers(kEntries, "t/again");
}

TEST_F(ShardSnapshotTest, WhatIsAppendedMeanwhileIsLeftToTheNextSnapshot) {
  Create();
  Append(0, 5000);
  ASSERT_TRUE(SaveRange(0, 5000).ok());
  Append(5000, kEntries);
  ASSERT_TRUE(SaveRange(1, kEntries).ok());
  ASSERT_TRUE(Finish().ok());
  ASSERT_TRUE(Load("t/again").ok());
  EXPECT_THAT(shard_.LayerEntries("t/again"), ElementsAre(5000, 5000, 5000));
}

TEST_F(ShardSnapshotTest, OneAtATimeWritesToADirectory) {
  Create();
  Append(0, kEntries);
  {
    Pause pause("snapshot.part");
    std::thread first([this] { EXPECT_TRUE(SaveRange(0, kEntries).ok()); });
    ASSERT_TRUE(pause.AwaitArrival());
    ExpectError(SaveRange(0, kEntries).status(), StatusCode::kAborted, "SNAPSHOT_BUSY");
    ExpectError(Finish(), StatusCode::kAborted, "SNAPSHOT_BUSY");
    pause.Resume();
    first.join();
  }
  Save(kEntries);
  ASSERT_TRUE(Load("t/again").ok());
  ExpectAnswers(kEntries, "t/again");
}

TEST_F(ShardSnapshotTest, APartThatIsLateIsNotWritten) {
  Create();
  Append(0, 10);
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  Pause pause("snapshot.part");
  std::thread save([&] {
    const shard::SaveSnapshot call = {
        .context_id = "t/a", .directory = directory(), .stripes = 1, .entries = 10, .shards = 1};
    ExpectError(shard_.Ask<shard::SnapshotResult>(call, deadline).status(),
                StatusCode::kDeadlineExceeded, "DEADLINE");
  });
  EXPECT_TRUE(pause.AwaitArrival());
  absl::SleepFor(deadline - absl::Now());
  pause.Resume();
  save.join();
  EXPECT_TRUE(std::filesystem::is_empty(directory()));
}

TEST_F(ShardSnapshotTest, APartThatIsBeingReplacedIsVouchedForNoMore) {
  Create();
  Append(0, kEntries);
  for (const uint32_t stripe : {0u, 1u, 2u}) ASSERT_TRUE(SaveRange(stripe, kEntries).ok());
  Pause pause("snapshot.part");
  std::thread save([this] { EXPECT_TRUE(SaveRange(1, kEntries).ok()); });
  EXPECT_TRUE(pause.AwaitArrival());
  const auto unfinished = ReadUnfinishedManifest(directory());
  pause.Resume();
  save.join();
  ASSERT_TRUE(unfinished.ok()) << unfinished.status();
  EXPECT_EQ(unfinished->parts.size(), 1u);
  EXPECT_EQ(ReadUnfinishedManifest(directory())->parts.size(), 2u);
}

TEST_F(ShardSnapshotTest, WithoutAnythingSavedThereIsNothingToFinish) {
  Create();
  Append(0, 10);
  std::filesystem::create_directories(directory());
  ExpectError(Finish(), StatusCode::kFailedPrecondition, "SNAPSHOT_INCOMPLETE");
  ExpectError(SaveRange(1, 10).status(), StatusCode::kFailedPrecondition, "SNAPSHOT_INCOMPLETE");
}

TEST_F(ShardSnapshotTest, ASaveGoesOnAfterARestart) {
  Create();
  Append(0, kEntries);
  ASSERT_TRUE(SaveRange(0, kEntries).ok());
  ASSERT_TRUE(shard_.Restart().ok());
  for (const uint32_t stripe : {1u, 2u}) ASSERT_TRUE(SaveRange(stripe, kEntries).ok());
  ASSERT_TRUE(Finish().ok());
  ASSERT_TRUE(Load("t/again").ok());
  ExpectAnswers(kEntries, "t/again");
}

}  // namespace
}  // namespace winnow::testing
