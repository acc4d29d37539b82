// Damage that a compaction meets.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "tests/storage/entry_store_data.h"
#include "tests/storage/failing_file_system.h"

namespace winnow {
namespace {

std::string LargestFile(const TempDirectory& directory) {
  const std::vector<std::string> files = directory.Files(".sst");
  return *std::max_element(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return std::filesystem::file_size(a) < std::filesystem::file_size(b);
  });
}

// Segments that only Flush closes.
EntryStoreOptions LargeSegments(const std::string& directory) {
  EntryStoreOptions options = SmallStore(directory);
  options.segment_bytes = size_t{8} << 20;
  return options;
}

TEST(EntryStoreCompaction, DamageOfADeadEntryLeavesTheStoreAtWork) {
  const TempDirectory directory;
  const auto store = MustOpen(LargeSegments(directory.path()));
  StoreContext gone("gone", Durability::kLogged);
  StoreContext kept("kept", Durability::kLogged);
  ASSERT_TRUE(gone.Add(store.get()).ok());
  ASSERT_TRUE(kept.Add(store.get()).ok());
  std::vector<std::string> files;
  for (const uint32_t entries : {600, 900}) {
    ASSERT_TRUE(gone.Append(store.get(), entries).ok());
    ASSERT_TRUE(kept.Append(store.get(), 100).ok());
    ASSERT_TRUE(store->Flush().ok());
    files.push_back(LargestFile(directory));
  }
  FlipByte(files[0], std::filesystem::file_size(files[0]) / 4);
  ASSERT_TRUE(store->RemoveContext(gone.record()).ok());
  gone.Drop();
  absl::Status reclaimed = store->Reclaim();
  // The other file is rewritten all the same; a compaction of RocksDB's own may be in the way.
  for (int i = 0; i < 50 && std::filesystem::exists(files[1]); ++i) {
    absl::SleepFor(absl::Milliseconds(20));
    reclaimed = store->Reclaim();
  }
  EXPECT_FALSE(std::filesystem::exists(files[1]));
  EXPECT_TRUE(std::filesystem::exists(files[0]));
  EXPECT_EQ(ErrorReason(reclaimed), "CORRUPT_STORE") << reclaimed;

  const absl::Status appended = kept.Append(store.get(), 50);
  ASSERT_TRUE(appended.ok()) << appended;
  StoreContext next("next", Durability::kSynced);
  ASSERT_TRUE(next.Add(store.get()).ok());
  ASSERT_TRUE(next.Append(store.get(), 50).ok());
  ASSERT_TRUE(store->Flush().ok());
  EXPECT_TRUE(kept.Verify(store.get()).ok()) << kept.Verify(store.get());
  EXPECT_TRUE(next.Verify(store.get()).ok()) << next.Verify(store.get());
  EXPECT_TRUE(store->RemoveContext(next.record()).ok());
  // Nor is it tried again and again.
  const uint64_t written = store->usage().written_bytes;
  EXPECT_EQ(ErrorReason(store->Reclaim()), "CORRUPT_STORE");
  EXPECT_EQ(store->usage().written_bytes, written);
}

// Two files share a segment where memory was written out because the log failed in between; they
// are merged.
TEST(EntryStoreCompaction, DamageThatAMergeMeetsLeavesTheStoreAtWork) {
  const TempDirectory directory;
  const auto disk = FailingFileSystem::Make();
  EntryStoreOptions options = LargeSegments(directory.path());
  options.env = disk->env();
  const auto store = MustOpen(options);
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), 200).ok());
  disk->Fail(Fault::kWriteError, ".log");
  ASSERT_FALSE(context.Append(store.get(), 1).ok());
  disk->Fail(Fault::kNone);
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (!context.Append(store.get(), 1).ok() && absl::Now() < limit) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  ASSERT_TRUE(context.Append(store.get(), 200).ok());
  FlipByte(LargestFile(directory), 5000);
  // More files than RocksDB would let wait for a compaction.
  for (int i = 0; i < 45; ++i) {
    StoreContext next("next " + std::to_string(i), Durability::kLogged);
    ASSERT_TRUE(next.Add(store.get()).ok());
    const absl::Status status = next.Append(store.get(), 20);
    ASSERT_TRUE(status.ok()) << i << status;
    const absl::Status flushed = store->Flush();
    ASSERT_TRUE(flushed.ok()) << i << flushed;
    EXPECT_TRUE(next.Verify(store.get()).ok()) << next.Verify(store.get());
  }
  EXPECT_EQ(ErrorReason(context.Verify(store.get())), "CORRUPT_ENTRIES");
}

// For a start would not find what was written after it.
TEST(EntryStoreCompaction, DamageOfTheCatalogEndsWriting) {
  const TempDirectory directory;
  const auto store = MustOpen(LargeSegments(directory.path()));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(store->Flush().ok());
  for (const std::string& file : directory.Files(".sst")) FlipByte(file, 10);
  ASSERT_TRUE(context.Append(store.get(), 100).ok());
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = store->UpdateContext(context.record());
    if (status.ok()) status = store->Flush();
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(ErrorReason(status), "CORRUPT_STORE") << status;
  EXPECT_EQ(ErrorReason(context.Append(store.get(), 1)), "CORRUPT_STORE");
  EXPECT_TRUE(context.Verify(store.get()).ok()) << context.Verify(store.get());
}

}  // namespace
}  // namespace winnow
