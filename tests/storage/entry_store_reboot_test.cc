// What a start after another boot takes for lost, and what not.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "tests/storage/entry_store_data.h"

namespace winnow {
namespace {

EntryStoreOptions OneLog(const std::string& directory, const std::string& boot_id) {
  EntryStoreOptions options = SmallStore(directory);
  options.segment_bytes = size_t{8} << 20;
  options.boot_id = boot_id;
  return options;
}

std::string Reason(const std::string& directory) {
  Recovery recovery;
  return ErrorReason(EntryStore::Open(OneLog(directory, "after"), &recovery).status());
}

// The one with the entries.
std::string LargestLog(const TempDirectory& directory) {
  const std::vector<std::string> logs = directory.Files(".log");
  return *std::max_element(logs.begin(), logs.end(), [](const auto& a, const auto& b) {
    return std::filesystem::file_size(a) < std::filesystem::file_size(b);
  });
}

// A directory whose log holds what was synced, as it was while the store was open.
class Reboot : public ::testing::Test {
 protected:
  // Entries of a context in the log, and a compaction after them.
  void Make(Durability durability) {
    const auto store = MustOpen(OneLog(directory_.path(), "before"));
    StoreContext gone("gone", Durability::kLogged);
    ASSERT_TRUE(gone.Add(store.get()).ok());
    ASSERT_TRUE(gone.Append(store.get(), 500).ok());
    ASSERT_TRUE(store->Flush().ok());
    ASSERT_TRUE(store->RemoveContext(gone.record()).ok());
    StoreContext context("a", durability);
    ASSERT_TRUE(context.Add(store.get()).ok());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(context.Append(store.get(), 20).ok());
    gone.Drop();
    const size_t files = directory_.Files(".sst").size();
    for (int i = 0; i < 50 && directory_.Files(".sst").size() >= files; ++i) {
      ASSERT_TRUE(store->Reclaim().ok());
      absl::SleepFor(absl::Milliseconds(20));
    }
    ASSERT_LT(directory_.Files(".sst").size(), files);
    CopyDirectory(directory_.path(), copy_.path());
    log_ = LargestLog(copy_);
  }

  const TempDirectory directory_;
  const TempDirectory copy_;
  std::string log_;  // of the copy
};

TEST_F(Reboot, FindsWhatWasSynced) {
  ASSERT_NO_FATAL_FAILURE(Make(Durability::kSynced));
  Recovery recovery;
  const auto store = MustOpen(OneLog(copy_.path(), "after"), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  const StoreContext found(recovery.contexts[0]);
  EXPECT_EQ(found.entries(), 400u);
  EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
}

TEST_F(Reboot, DamageBeforeWhatWasSyncedIsRefusedForGood) {
  ASSERT_NO_FATAL_FAILURE(Make(Durability::kSynced));
  FlipByte(log_, std::filesystem::file_size(log_) / 2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Reason(copy_.path()), "CORRUPT_STORE");
  // What lies beyond is not thrown away.
  FlipByte(log_, std::filesystem::file_size(log_) / 2);
  EXPECT_EQ(Reason(copy_.path()), "");
}

TEST_F(Reboot, ALogThatLacksWhatWasSyncedIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Make(Durability::kSynced));
  std::filesystem::resize_file(log_, std::filesystem::file_size(log_) / 2);
  EXPECT_EQ(Reason(copy_.path()), "CORRUPT_STORE");
}

TEST_F(Reboot, WhatWasOnlyLoggedMayBeLost) {
  ASSERT_NO_FATAL_FAILURE(Make(Durability::kLogged));
  FlipByte(log_, std::filesystem::file_size(log_) / 2);
  Recovery recovery;
  const auto store = MustOpen(OneLog(copy_.path(), "after"), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  const StoreContext found(recovery.contexts[0]);
  EXPECT_LT(found.entries(), 400u);
  EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
}

TEST_F(Reboot, ARemovalIsNotUndone) {
  const auto store = MustOpen(OneLog(directory_.path(), "before"));
  StoreContext removed("removed", Durability::kLogged);
  StoreContext kept("kept", Durability::kLogged);
  ASSERT_TRUE(removed.Add(store.get()).ok());
  ASSERT_TRUE(kept.Add(store.get()).ok());
  ASSERT_TRUE(store->Flush().ok());
  ASSERT_TRUE(kept.Append(store.get(), 200).ok());
  ASSERT_TRUE(store->RemoveContext(removed.record()).ok());
  CopyDirectory(directory_.path(), copy_.path());
  const std::string log = LargestLog(copy_);
  FlipByte(log, std::filesystem::file_size(log) / 2);
  EXPECT_EQ(Reason(copy_.path()), "CORRUPT_STORE");
}

TEST_F(Reboot, ADirectoryOfBeforeTheMarkIsOpened) {
  ASSERT_NO_FATAL_FAILURE(Make(Durability::kSynced));
  std::filesystem::remove(copy_ / "SYNCED");
  EXPECT_EQ(Reason(copy_.path()), "");
  EXPECT_TRUE(std::filesystem::exists(copy_ / "SYNCED"));
}

TEST_F(Reboot, ADamagedMarkIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Make(Durability::kSynced));
  FlipByte(copy_ / "SYNCED", 82);
  EXPECT_EQ(Reason(copy_.path()), "CORRUPT_STORE");
}

}  // namespace
}  // namespace winnow
