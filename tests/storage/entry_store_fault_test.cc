#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "tests/storage/entry_store_data.h"
#include "tests/storage/failing_file_system.h"

namespace winnow {
namespace {

struct DiskTrouble {
  Fault fault;
  const char* file;
  Durability durability;
  const char* reason;
};

void PrintTo(const DiskTrouble& trouble, std::ostream* out) {
  *out << static_cast<int>(trouble.fault) << " of '" << trouble.file << "', "
       << DurabilityName(trouble.durability);
}

// A store's options on a disk that may fail.
class EntryStoreFault : public ::testing::Test {
 protected:
  EntryStoreFault() : files_(FailingFileSystem::Make()), options_(SmallStore(directory_.path())) {
    options_.env = files_->env();
  }

  const TempDirectory directory_;
  const std::shared_ptr<FailingFileSystem> files_;
  EntryStoreOptions options_;
};

class Trouble : public EntryStoreFault, public ::testing::WithParamInterface<DiskTrouble> {
 protected:
  // Appends until one is refused, which may be when a segment is full.
  absl::Status AppendUntilRefused(EntryStore* store, StoreContext* context) {
    absl::Status status;
    for (int i = 0; i < 200 && status.ok(); ++i) status = context->Append(store, 50);
    return status;
  }
  // Appends until one succeeds; it may take a second until RocksDB is asked again.
  absl::Status AppendUntilTaken(EntryStore* store, StoreContext* context) {
    absl::Status status = context->Append(store, 50);
    for (int i = 0; i < 40 && !status.ok(); ++i) {
      absl::SleepFor(absl::Milliseconds(100));
      status = context->Append(store, 50);
    }
    return status;
  }
};

TEST_P(Trouble, IsNamedAndLeavesNoTraceAndIsOverWhenTheDiskRecovers) {
  StoreContext context("a", GetParam().durability);
  const TempDirectory crashed;
  {
    const auto store = MustOpen(options_);
    ASSERT_TRUE(context.Add(store.get()).ok());
    ASSERT_TRUE(context.Append(store.get(), 333).ok());
    for (int round = 0; round < 3; ++round) {
      files_->Fail(GetParam().fault, GetParam().file);
      const absl::Status refused = AppendUntilRefused(store.get(), &context);
      EXPECT_EQ(ErrorReason(refused), GetParam().reason) << refused;
      EXPECT_EQ(ErrorReason(context.Append(store.get(), 50)), GetParam().reason);
      // What is there can still be read, and is still there after a crash.
      EXPECT_TRUE(context.Verify(store.get()).ok()) << context.Verify(store.get());
      const std::string copy = crashed / std::to_string(round);
      CopyDirectory(directory_.path(), copy);
      Recovery recovery;
      const auto reopened = MustOpen(SmallStore(copy), &recovery);
      ASSERT_EQ(recovery.contexts.size(), 1u);
      const StoreContext found(recovery.contexts[0]);
      EXPECT_GE(found.entries(), context.entries());
      EXPECT_TRUE(found.Verify(reopened.get()).ok()) << found.Verify(reopened.get());

      files_->Fail(Fault::kNone);
      const absl::Status taken = AppendUntilTaken(store.get(), &context);
      ASSERT_TRUE(taken.ok()) << taken;
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(context.Append(store.get(), 50).ok());
      EXPECT_TRUE(context.Verify(store.get()).ok()) << context.Verify(store.get());
    }
    CopyDirectory(directory_.path(), crashed / "last");
  }
  for (const std::string& path : {directory_.path(), crashed / "last"}) {
    Recovery recovery;
    const auto store = MustOpen(SmallStore(path), &recovery);
    ASSERT_EQ(recovery.contexts.size(), 1u);
    const StoreContext found(recovery.contexts[0]);
    EXPECT_EQ(found.entries(), context.entries());
    EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
  }
}

INSTANTIATE_TEST_SUITE_P(
    EntryStore, Trouble,
    ::testing::Values(DiskTrouble{Fault::kNoSpace, ".log", Durability::kLogged, "DISK_FULL"},
                      DiskTrouble{Fault::kWriteError, ".log", Durability::kLogged, "DISK_FAILED"},
                      DiskTrouble{Fault::kSyncError, ".log", Durability::kSynced, "DISK_FAILED"},
                      DiskTrouble{Fault::kNoSpace, ".sst", Durability::kLogged, "DISK_FULL"},
                      DiskTrouble{Fault::kWriteError, ".sst", Durability::kLogged, "DISK_FAILED"},
                      DiskTrouble{Fault::kWriteError, "MANIFEST", Durability::kLogged,
                                  "DISK_FAILED"},
                      DiskTrouble{Fault::kNoSpace, "", Durability::kSynced, "DISK_FULL"}));

class ReadTrouble : public EntryStoreFault, public ::testing::WithParamInterface<Fault> {};

TEST_P(ReadTrouble, IsNamedAndOverWhenTheDiskRecovers) {
  options_.row_cache_bytes = 0;
  Recovery recovery;
  {
    const auto store = MustOpen(options_);
    StoreContext context("a", Durability::kLogged);
    ASSERT_TRUE(context.Add(store.get()).ok());
    ASSERT_TRUE(context.Append(store.get(), 3000).ok());
  }
  const auto store = MustOpen(options_, &recovery);
  const StoreContext context(recovery.contexts[0]);
  const std::vector<RowRef> rows = {context.Row(0, 5), context.Row(3, 2000)};
  files_->Fail(GetParam(), ".sst");
  EXPECT_EQ(ErrorReason(context.Verify(store.get())), "DISK_FAILED");
  EXPECT_EQ(ErrorReason(context.VerifyRows(store.get(), rows)), "DISK_FAILED");
  files_->Fail(Fault::kNone);
  EXPECT_TRUE(context.Verify(store.get()).ok()) << context.Verify(store.get());
  EXPECT_TRUE(context.VerifyRows(store.get(), rows).ok());
}

INSTANTIATE_TEST_SUITE_P(EntryStore, ReadTrouble, ::testing::Values(Fault::kReadError));

// By the digits in their names.
uint64_t NextFileNumber(const TempDirectory& directory) {
  uint64_t last = 0;
  for (const std::string& path : directory.Files("")) {
    const std::string name = std::filesystem::path(path).filename();
    const size_t digits = name.find_first_of("0123456789");
    if (digits != std::string::npos) last = std::max<uint64_t>(last, std::stoull(&name[digits]));
  }
  return last + 1;
}

TEST_F(EntryStoreFault, ALogThatTheDiskRefusedToBeginIsNotMissed) {
  const TempDirectory killed;
  const auto store = MustOpen(options_);
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), 30).ok());
  const std::string next = absl::StrFormat("%06d.log", NextFileNumber(directory_));
  files_->Fail(Fault::kWriteError, next);
  EXPECT_EQ(ErrorReason(store->Flush()), "DISK_FAILED");
  CopyDirectory(directory_.path(), killed.path());
  ASSERT_GT(std::filesystem::file_size(killed / next), 7u);
  Recovery recovery;
  const auto reopened = MustOpen(SmallStore(killed.path()), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  const StoreContext found(recovery.contexts[0]);
  EXPECT_EQ(found.entries(), 30u);
  EXPECT_TRUE(found.Verify(reopened.get()).ok()) << found.Verify(reopened.get());
}

TEST_F(EntryStoreFault, TooManyOpenFilesIsNamed) {
  {
    const auto store = MustOpen(options_);
    StoreContext context("a", Durability::kLogged);
    ASSERT_TRUE(context.Add(store.get()).ok());
    ASSERT_TRUE(context.Append(store.get(), 3000).ok());
  }
  files_->Fail(Fault::kTooManyFiles, ".sst");
  Recovery recovery;
  const auto refused = EntryStore::Open(options_, &recovery);
  EXPECT_EQ(ErrorReason(refused.status()), "DISK_FAILED") << refused.status();
  files_->Fail(Fault::kNone);
  EXPECT_NE(MustOpen(options_), nullptr);
}

}  // namespace
}  // namespace winnow
