// How large the write-ahead log becomes by what is not entries.
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "tests/storage/entry_store_data.h"
#include "tests/storage/failing_file_system.h"
#include "tests/support/eventually.h"

namespace winnow {
namespace {

uint64_t LogBytes(const TempDirectory& directory) {
  uint64_t bytes = 0;
  for (const std::string& log : directory.Files(".log")) {
    std::error_code deleted;
    const uint64_t size = std::filesystem::file_size(log, deleted);
    if (!deleted) bytes += size;
  }
  return bytes;
}

// That there is but the log of a segment that is being written out, and of the next. RocksDB
// deletes those before in the background.
bool IsSmall(const TempDirectory& directory) {
  return testing::Eventually(
      [&] { return LogBytes(directory) < 3 * SmallStore("").segment_bytes; });
}

TEST(EntryStoreLog, StaysSmallUnderRenewals) {
  constexpr int kContexts = 10;
  const TempDirectory directory;
  const TempDirectory killed;
  std::vector<StoreContext> contexts;
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    for (int i = 0; i < kContexts; ++i) {
      contexts.emplace_back(absl::StrCat("context ", i), Durability::kLogged);
      ASSERT_TRUE(contexts[i].Add(store.get()).ok());
      ASSERT_TRUE(contexts[i].Append(store.get(), 5).ok());
    }
    for (int i = 0; i < 5000; ++i) {
      ContextRecord& record = contexts[i % kContexts].record();
      record.expires_at = absl::FromUnixSeconds(5'000'000'000 + i);
      const absl::Status status = store->UpdateContext(record);
      ASSERT_TRUE(status.ok()) << i << status;
      if (i % 50 == 0) {
        ASSERT_TRUE(IsSmall(directory)) << i;
      }
    }
    for (StoreContext& context : contexts) ASSERT_TRUE(context.Append(store.get(), 5).ok());
    CopyDirectory(directory.path(), killed.path());
  }
  for (const std::string& path : {directory.path(), killed.path()}) {
    Recovery recovery;
    const auto store = MustOpen(SmallStore(path), &recovery);
    ASSERT_EQ(recovery.contexts.size(), contexts.size());
    for (int i = 0; i < kContexts; ++i) {
      const StoreContext found(recovery.contexts[i]);
      EXPECT_EQ(found.record(), contexts[i].record());
      EXPECT_EQ(found.entries(), 10u);
      EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
    }
  }
}

TEST(EntryStoreLog, StaysSmallUnderForksAndTheirRemoval) {
  const TempDirectory directory;
  const TempDirectory killed;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext parent("parent", Durability::kLogged);
  ASSERT_TRUE(parent.Add(store.get()).ok());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(parent.Append(store.get(), 100).ok());
  ASSERT_GT(parent.stripes()[0].layers[0].size(), 10u);
  std::vector<StoreContext> forks;
  for (int i = 0; i < 400; ++i) {
    forks.push_back(parent.Fork(absl::StrCat("fork ", i), 3000, Durability::kLogged));
    const absl::Status status = forks.back().Add(store.get());
    ASSERT_TRUE(status.ok()) << i << status;
    ASSERT_TRUE(IsSmall(directory)) << i;
  }
  for (; forks.size() > 10; forks.pop_back()) {
    ASSERT_TRUE(store->RemoveContext(forks.back().record()).ok());
    ASSERT_TRUE(IsSmall(directory)) << forks.size();
  }
  CopyDirectory(directory.path(), killed.path());
  Recovery recovery;
  const auto reopened = MustOpen(SmallStore(killed.path()), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 11u);
  for (const StoredContext& stored : recovery.contexts) {
    const StoreContext found(stored);
    EXPECT_TRUE(found.Verify(reopened.get()).ok()) << found.Verify(reopened.get());
  }
}

TEST(EntryStoreLog, TakesOnlyRemovalsWhenTheDiskIsFull) {
  const TempDirectory directory;
  const auto disk = FailingFileSystem::Make();
  EntryStoreOptions options = SmallStore(directory.path());
  options.env = disk->env();
  const auto store = MustOpen(options);
  StoreContext kept("kept", Durability::kLogged);
  ASSERT_TRUE(kept.Add(store.get()).ok());
  std::vector<StoreContext> contexts;
  for (int i = 0; i < 300; ++i) {
    contexts.emplace_back(absl::StrCat("context ", i), Durability::kLogged);
    ASSERT_TRUE(contexts.back().Add(store.get()).ok());
  }
  disk->LeaveFree(uint64_t{1} << 20);
  EXPECT_EQ(ErrorReason(store->UpdateContext(kept.record())), "DISK_FULL");
  StoreContext refused("refused", Durability::kLogged);
  EXPECT_EQ(ErrorReason(refused.Add(store.get())), "DISK_FULL");
  // Much more than a segment of them.
  for (StoreContext& context : contexts) {
    const absl::Status status = store->RemoveContext(context.record());
    ASSERT_TRUE(status.ok()) << status;
  }
  disk->LeaveFree(UINT64_MAX);
  EXPECT_TRUE(store->UpdateContext(kept.record()).ok());
  EXPECT_TRUE(refused.Add(store.get()).ok());
}

}  // namespace
}  // namespace winnow
