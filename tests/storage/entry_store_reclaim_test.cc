#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/rocksdb/reclaimer.h"
#include "tests/storage/entry_store_data.h"
#include "tests/storage/failing_file_system.h"

namespace winnow {
namespace {

TEST(Reclaim, ChoosesByTheShareOfLivingBytes) {
  constexpr uint64_t kNever = UINT64_MAX;
  EXPECT_EQ(ChooseReclaimAction(100, 0, kNever), ReclaimAction::kDelete);
  EXPECT_EQ(ChooseReclaimAction(100, 0, 0), ReclaimAction::kDelete);
  EXPECT_EQ(ChooseReclaimAction(100, 49, kNever), ReclaimAction::kRewrite);
  EXPECT_EQ(ChooseReclaimAction(100, 50, kNever), ReclaimAction::kKeep);
  EXPECT_EQ(ChooseReclaimAction(100, 120, kNever), ReclaimAction::kKeep);
  // What a rewrite did not make smaller is not rewritten again.
  EXPECT_EQ(ChooseReclaimAction(100, 49, 49), ReclaimAction::kKeep);
  EXPECT_EQ(ChooseReclaimAction(100, 30, 49), ReclaimAction::kRewrite);
}

uint64_t FileBytes(const TempDirectory& directory) {
  uint64_t bytes = 0;
  for (const std::string& file : directory.Files(".sst")) {
    std::error_code gone;
    const uint64_t size = std::filesystem::file_size(file, gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

// Reclaims until the files are small enough; a compaction of RocksDB's own may be in the way.
uint64_t ReclaimBelow(EntryStore* store, const TempDirectory& directory, uint64_t bytes) {
  for (int i = 0; i < 50 && FileBytes(directory) > bytes; ++i) {
    EXPECT_TRUE(store->Reclaim().ok());
    absl::SleepFor(absl::Milliseconds(20));
  }
  return FileBytes(directory);
}

class ReclaimOf : public ::testing::TestWithParam<Durability> {};

TEST_P(ReclaimOf, SegmentsWithoutEntriesGivesBackTheirSpace) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext gone("gone", GetParam());
  ASSERT_TRUE(gone.Add(store.get()).ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(gone.Append(store.get(), 64).ok());
  StoreContext kept("kept", GetParam());
  ASSERT_TRUE(kept.Add(store.get()).ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(kept.Append(store.get(), 64).ok());
  ASSERT_TRUE(store->Flush().ok());
  const uint64_t before = FileBytes(directory);
  ASSERT_TRUE(store->Reclaim().ok());
  EXPECT_GT(FileBytes(directory), before * 3 / 4);
  EXPECT_TRUE(gone.Verify(store.get()).ok());

  ASSERT_TRUE(store->RemoveContext(gone.record()).ok());
  gone.Drop();
  EXPECT_LT(ReclaimBelow(store.get(), directory, before / 4), before / 3);
  EXPECT_LT(store->usage().disk_bytes, before / 2);
  EXPECT_TRUE(kept.Verify(store.get()).ok()) << kept.Verify(store.get());
}

TEST_P(ReclaimOf, MostlyDeadSegmentsKeepsWhatLives) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  std::vector<StoreContext> contexts;
  for (int i = 0; i < 5; ++i) {
    contexts.emplace_back("context " + std::to_string(i), GetParam());
    ASSERT_TRUE(contexts.back().Add(store.get()).ok());
  }
  for (int i = 0; i < 60; ++i) {
    for (StoreContext& context : contexts) {
      ASSERT_TRUE(context.Append(store.get(), 16).ok());
    }
  }
  ASSERT_TRUE(store->Flush().ok());
  const uint64_t before = FileBytes(directory);
  for (int i = 1; i < 5; ++i) {
    ASSERT_TRUE(store->RemoveContext(contexts[i].record()).ok());
    contexts[i].Drop();
  }
  EXPECT_LT(ReclaimBelow(store.get(), directory, before * 3 / 10), before * 4 / 10);
  EXPECT_TRUE(contexts[0].Verify(store.get()).ok()) << contexts[0].Verify(store.get());
  // In the end a pass finds nothing to write. The background may have begun one before.
  uint64_t written = 0;
  for (int pass = 0; pass < 5 && written != store->usage().written_bytes; ++pass) {
    written = store->usage().written_bytes;
    ASSERT_TRUE(store->Reclaim().ok());
  }
  EXPECT_EQ(store->usage().written_bytes, written);
}

INSTANTIATE_TEST_SUITE_P(EntryStore, ReclaimOf,
                         ::testing::Values(Durability::kMemory, Durability::kLogged));

TEST(EntryStoreReclaim, OfAFullDiskDeletesButRewritesNothing) {
  const TempDirectory directory;
  const auto disk = FailingFileSystem::Make();
  EntryStoreOptions options = SmallStore(directory.path());
  options.env = disk->env();
  const auto store = MustOpen(options);
  StoreContext gone("gone", Durability::kLogged);
  StoreContext kept("kept", Durability::kLogged);
  ASSERT_TRUE(gone.Add(store.get()).ok());
  ASSERT_TRUE(kept.Add(store.get()).ok());
  for (const uint32_t living : {50, 0, 40, 0, 30}) {
    ASSERT_TRUE(gone.Append(store.get(), 100).ok());
    ASSERT_TRUE(kept.Append(store.get(), living).ok());
    ASSERT_TRUE(store->Flush().ok());
  }
  const uint64_t before = FileBytes(directory);
  disk->LeaveFree(uint64_t{1} << 20);
  const uint64_t written = store->usage().written_bytes;
  ASSERT_TRUE(store->RemoveContext(gone.record()).ok());
  gone.Drop();
  absl::Status status;
  for (int i = 0; i < 50 && FileBytes(directory) > before * 4 / 5; ++i) {
    status = store->Reclaim();
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_LE(FileBytes(directory), before * 4 / 5);
  EXPECT_EQ(ErrorReason(status), "DISK_FULL") << status;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ErrorReason(store->Reclaim()), "DISK_FULL");
  // The removal itself, and that segments are gone.
  EXPECT_LT(store->usage().written_bytes - written, 5000u);
  disk->LeaveFree(UINT64_MAX);
  EXPECT_LT(ReclaimBelow(store.get(), directory, before * 2 / 5), before / 2);
  EXPECT_TRUE(kept.Verify(store.get()).ok()) << kept.Verify(store.get());
}

TEST(EntryStoreReclaim, RunsByItself) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext gone("gone", Durability::kLogged);
  ASSERT_TRUE(gone.Add(store.get()).ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(gone.Append(store.get(), 64).ok());
  ASSERT_TRUE(store->Flush().ok());
  const uint64_t before = FileBytes(directory);
  ASSERT_TRUE(store->RemoveContext(gone.record()).ok());
  gone.Drop();
  for (int i = 0; i < 250 && FileBytes(directory) > before / 10; ++i) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_LE(FileBytes(directory), before / 10);
}

TEST(EntryStoreReclaim, KeepsWhatRecordedContextsReferToWithoutExtents) {
  const TempDirectory directory;
  StoreContext context("a", Durability::kLogged);
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    ASSERT_TRUE(context.Add(store.get()).ok());
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(context.Append(store.get(), 64).ok());
    context.Drop();
    ASSERT_TRUE(store->Flush().ok());
    ASSERT_TRUE(store->Reclaim().ok());
  }
  Recovery recovery;
  const auto store = MustOpen(SmallStore(directory.path()), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  const StoreContext found(recovery.contexts[0]);
  EXPECT_EQ(found.entries(), context.entries());
  EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
}

TEST(EntryStoreReclaim, GivesBackWhatMemoryContextsLeftBehind) {
  const TempDirectory directory;
  StoreContext memory("a", Durability::kMemory);
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    ASSERT_TRUE(memory.Add(store.get()).ok());
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(memory.Append(store.get(), 64).ok());
  }
  const uint64_t before = FileBytes(directory);
  const auto store = MustOpen(SmallStore(directory.path()));
  EXPECT_LT(ReclaimBelow(store.get(), directory, before / 10), before / 5);
}

TEST(EntryStoreReclaim, LetsExtentsOutliveTheStore) {
  const TempDirectory directory;
  StoreContext context("a", Durability::kMemory);
  auto store = MustOpen(SmallStore(directory.path()));
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), 64).ok());
  store.reset();
  context.Drop();
}

}  // namespace
}  // namespace winnow
