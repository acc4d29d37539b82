#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "rocksdb/db.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/rocksdb/watermark.h"
#include "tests/storage/entry_store_data.h"

namespace winnow {
namespace {

absl::Status OpenStatus(const EntryStoreOptions& options) {
  Recovery recovery;
  return EntryStore::Open(options, &recovery).status();
}

std::vector<std::string> Logs(const std::string& directory) {
  std::vector<std::string> logs;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() == ".log") logs.push_back(file.path());
  }
  std::sort(logs.begin(), logs.end());
  return logs;
}

// One context, cleanly closed.
void MakeStore(const std::string& directory, uint32_t entries = 1000) {
  const auto store = MustOpen(SmallStore(directory));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), entries).ok());
}

TEST(EntryStoreDamage, TheSecondOpenOfADirectoryIsRefused) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  const absl::Status refused = OpenStatus(SmallStore(directory.path()));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(refused), "DATA_DIR_IN_USE") << refused;
}

TEST(EntryStoreDamage, ADirectoryThatCannotBeMadeIsNamed) {
  EXPECT_EQ(ErrorReason(OpenStatus(SmallStore("/proc/nowhere"))), "DISK_FAILED");
}

TEST(EntryStoreDamage, ALaterVersionIsRefused) {
  const TempDirectory directory;
  MakeStore(directory.path());
  rocksdb::Options options;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : {"default", "contexts", "runs", "entries"}) {
    families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, directory.path(), families, &handles, &db).ok());
  ASSERT_TRUE(db->Put({}, "format", std::string("\0\0\0\3", 4)).ok());
  for (auto* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  delete db;
  const absl::Status refused = OpenStatus(SmallStore(directory.path()));
  EXPECT_EQ(ErrorReason(refused), "UNKNOWN_VERSION") << refused;
}

TEST(EntryStoreDamage, ATruncatedLogIsNoticedAndNamed) {
  const TempDirectory directory;
  const TempDirectory crashed;
  EntryStoreOptions one_log = SmallStore(directory.path());
  one_log.segment_bytes = size_t{1} << 20;
  const auto store = MustOpen(one_log);
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(context.Append(store.get(), 20).ok());
  CopyDirectory(directory.path(), crashed / "whole");
  EXPECT_TRUE(OpenStatus(SmallStore(crashed / "whole")).ok());
  for (const int cut : {1, 100, 5000, 20000}) {
    const std::string copy = crashed / std::to_string(cut);
    CopyDirectory(directory.path(), copy);
    const std::vector<std::string> logs = Logs(copy);
    ASSERT_EQ(logs.size(), 1u);
    std::filesystem::resize_file(logs[0], std::filesystem::file_size(logs[0]) - cut);
    const absl::Status refused = OpenStatus(SmallStore(copy));
    EXPECT_EQ(ErrorReason(refused), "CORRUPT_STORE") << cut << refused;
    EXPECT_NE(refused.message().find(copy), std::string::npos) << refused;
    // Another system may have lost what was not synced.
    EntryStoreOptions rebooted = SmallStore(copy);
    rebooted.boot_id = "another";
    Recovery recovery;
    const auto reopened = MustOpen(rebooted, &recovery);
    ASSERT_NE(reopened, nullptr);
    ASSERT_EQ(recovery.contexts.size(), 1u) << cut;
    const StoreContext found(recovery.contexts.front());
    EXPECT_LT(found.entries(), context.entries());
    EXPECT_EQ(found.entries() % 20, 0u);
    EXPECT_TRUE(found.Verify(reopened.get()).ok()) << found.Verify(reopened.get());
  }
}

TEST(EntryStoreDamage, ATruncatedLogBeforeTheLastIsNoticed) {
  const TempDirectory directory;
  const TempDirectory crashed;
  EntryStoreOptions slow = SmallStore(directory.path());
  slow.background_bytes_per_second = 50'000;  // so that the first log is still needed
  const auto store = MustOpen(slow);
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  while (Logs(directory.path()).size() < 2) ASSERT_TRUE(context.Append(store.get(), 50).ok());
  CopyDirectory(directory.path(), crashed / "copy");
  const std::vector<std::string> logs = Logs(crashed / "copy");
  ASSERT_EQ(logs.size(), 2u);
  std::filesystem::resize_file(logs[0], std::filesystem::file_size(logs[0]) - 1);
  const absl::Status refused = OpenStatus(SmallStore(crashed / "copy"));
  EXPECT_EQ(ErrorReason(refused), "CORRUPT_STORE") << refused;
}

TEST(EntryStoreDamage, ALogThatSeemsUnfinishedFromItsBeginningIsNoticed) {
  const TempDirectory directory;
  const TempDirectory crashed;
  EntryStoreOptions slow = SmallStore(directory.path());
  slow.segment_bytes = size_t{10} << 10;
  slow.background_bytes_per_second = 10'000;  // so that the first log is still needed
  const auto store = MustOpen(slow);
  StoreContext lost("lost", Durability::kLogged);
  StoreContext next("next", Durability::kLogged);
  ASSERT_TRUE(lost.Add(store.get()).ok());
  ASSERT_TRUE(next.Add(store.get()).ok());
  ASSERT_TRUE(store->Flush().ok());
  // All of one context's entries in the one log, the other's in the next.
  ASSERT_TRUE(lost.Append(store.get(), 50).ok());
  ASSERT_TRUE(next.Append(store.get(), 1).ok());
  CopyDirectory(directory.path(), crashed / "copy");
  const auto bytes = [](const std::string& log) { return std::filesystem::file_size(log); };
  const std::vector<std::string> logs = Logs(crashed / "copy");
  const std::string log = *std::max_element(
      logs.begin(), logs.end(),
      [&](const std::string& a, const std::string& b) { return bytes(a) < bytes(b); });
  ASSERT_NE(log, logs.back());
  ASSERT_LT(bytes(log), 32768u);
  std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(5);  // the high byte of the first record's length
  file.put('\xff');
  file.close();
  const absl::Status refused = OpenStatus(SmallStore(crashed / "copy"));
  EXPECT_EQ(ErrorReason(refused), "CORRUPT_STORE") << refused;
  EXPECT_EQ(ErrorFacts(refused)["file"], std::filesystem::path(log).filename()) << refused;
}

TEST(EntryStoreDamage, EveryByteOfTheWatermarkIsChecked) {
  const TempDirectory directory;
  MakeStore(directory.path());
  const std::string path = directory / "ACKNOWLEDGED";
  const uint64_t bytes = std::filesystem::file_size(path);
  for (uint64_t at = 0; at < bytes; ++at) {
    FlipByte(path, at);
    EXPECT_EQ(ErrorReason(Watermark::Read(directory.path(), kAcknowledged).status()),
              "CORRUPT_STORE")
        << at;
    FlipByte(path, at);
  }
  FlipByte(path, 20);
  EXPECT_EQ(ErrorFacts(OpenStatus(SmallStore(directory.path())))["file"], "ACKNOWLEDGED");
  FlipByte(path, 20);
  std::filesystem::copy_file(path, directory / "saved");
  for (const uint64_t size : {uint64_t{0}, bytes - 1, bytes + 1}) {
    std::filesystem::resize_file(path, size);
    EXPECT_EQ(ErrorReason(OpenStatus(SmallStore(directory.path()))), "CORRUPT_STORE") << size;
  }
  std::filesystem::remove(path);
  EXPECT_EQ(ErrorReason(OpenStatus(SmallStore(directory.path()))), "CORRUPT_STORE");
  std::filesystem::rename(directory / "saved", path);
  EXPECT_TRUE(OpenStatus(SmallStore(directory.path())).ok());
}

TEST(EntryStoreDamage, AMissingFileIsNoticed) {
  const TempDirectory directory;
  const TempDirectory damaged;
  MakeStore(directory.path());
  int copies = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
    const std::string name = file.path().filename();
    if (!name.ends_with(".sst") && !name.starts_with("MANIFEST") && name != "CURRENT") continue;
    const std::string copy = damaged / std::to_string(++copies);
    CopyDirectory(directory.path(), copy);
    std::filesystem::remove(copy + "/" + name);
    const absl::Status refused = OpenStatus(SmallStore(copy));
    EXPECT_EQ(ErrorReason(refused), "CORRUPT_STORE") << name << refused;
  }
  EXPECT_GE(copies, 5);
}

// RocksDB's iterators must not end quietly where they come to a damaged file.
TEST(EntryStoreDamage, NoContextIsLostWithAFileBehindAnother) {
  constexpr size_t kContexts = 8;
  const TempDirectory directory;
  const TempDirectory damaged;
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    for (size_t i = 0; i < kContexts; ++i) {
      StoreContext context("context " + std::to_string(i), Durability::kLogged);
      ASSERT_TRUE(context.Add(store.get()).ok());
      ASSERT_TRUE(context.Append(store.get(), 10).ok());
      ASSERT_TRUE(store->Flush().ok());  // a file for each
    }
  }
  int noticed = 0;
  for (const std::string& file : directory.Files(".sst")) {
    CopyDirectory(directory.path(), damaged / "copy");
    FlipByte(damaged / "copy/" + std::filesystem::path(file).filename().string(), 0);
    Recovery recovery;
    const auto store = EntryStore::Open(SmallStore(damaged / "copy"), &recovery);
    if (!store.ok()) {
      EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss) << store.status();
      ++noticed;
      continue;
    }
    ASSERT_EQ(recovery.contexts.size(), kContexts) << file;
    for (const StoredContext& stored : recovery.contexts) {
      EXPECT_EQ(StoreContext(stored).entries(), 10u) << file;
    }
  }
  EXPECT_GT(noticed, 0);
}

TEST(EntryStoreDamage, AFlippedByteOfAFileGivesAnErrorAndNoWrongRows) {
  const TempDirectory directory;
  const TempDirectory damaged;
  MakeStore(directory.path(), 300);
  int noticed = 0;
  for (const std::string& file : directory.Files(".sst")) {
    const uint64_t bytes = std::filesystem::file_size(file);
    for (uint64_t at = 7; at < bytes; at += std::max<uint64_t>(bytes / 12, 1)) {
      const std::string copy = damaged / "copy";
      std::filesystem::remove_all(copy);
      CopyDirectory(directory.path(), copy);
      FlipByte(copy + "/" + std::filesystem::path(file).filename().string(), at);
      Recovery recovery;
      const auto store = EntryStore::Open(SmallStore(copy), &recovery);
      if (!store.ok()) {
        EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss) << store.status();
        ++noticed;
        continue;
      }
      ASSERT_EQ(recovery.contexts.size(), 1u);
      const StoreContext context(recovery.contexts[0]);
      std::vector<RowRef> rows;
      for (uint64_t i = 0; i < 300; ++i) rows.push_back(context.Row(3, i));
      for (const absl::Status& status :
           {context.Verify(store->get()), context.VerifyRows(store->get(), rows)}) {
        EXPECT_TRUE(status.ok() || ErrorReason(status) == "CORRUPT_ENTRIES") << status;
        EXPECT_EQ(ErrorFacts(status)["layer"].empty(), status.ok());
        noticed += !status.ok();
      }
    }
  }
  EXPECT_GT(noticed, 10);
}

}  // namespace
}  // namespace winnow
