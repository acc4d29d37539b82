// Records that are whole by their checksums, and of nothing that can be.
#include "gtest/gtest.h"
#include "rocksdb/perf_context.h"
#include "rocksdb/perf_level.h"
#include "storage/error.h"
#include "storage/page_set.h"
#include "storage/rocksdb/catalog.h"
#include "storage/rocksdb/database.h"
#include "tests/storage/entry_store_data.h"

namespace winnow {
namespace {

class EntryStoreCatalogTest : public ::testing::Test {
 protected:
  EntryStoreCatalogTest() {
    const auto store = MustOpen(SmallStore(directory_.path()));
    StoreContext context("a", Durability::kLogged);
    EXPECT_TRUE(context.Add(store.get()).ok());
    EXPECT_TRUE(context.Append(store.get(), 100).ok());
    record_ = context.record();
  }

  // What a start says once the records are written.
  template <typename PutFn>
  absl::Status StartWith(PutFn put) {
    {
      const auto database = Database::Open(SmallStore(directory_.path()), nullptr);
      if (!database.ok()) return database.status();
      rocksdb::WriteBatch batch;
      put(**database, &batch);
      absl::Status status = (*database)->Write(&batch, WriteMode::kSynced);
      if (!status.ok()) return status;
    }
    Recovery recovery;
    return EntryStore::Open(SmallStore(directory_.path()), &recovery).status();
  }
  absl::Status StartWithRun(uint32_t stripe, uint32_t end) {
    return StartWith([&](const Database& database, rocksdb::WriteBatch* batch) {
      PutRun(
          database,
          {.key = {record_.number, stripe, 0, end}, .extent_number = record_.number, .segment = 1},
          batch);
    });
  }

  const TempDirectory directory_;
  ContextRecord record_;
};

TEST_F(EntryStoreCatalogTest, ARunThatCanBeIsTaken) {
  EXPECT_TRUE(StartWithRun(kMaxStripes - 1, kStripeEntries).ok());
}

TEST_F(EntryStoreCatalogTest, ARunBeyondItsStripeIsRefused) {
  EXPECT_EQ(ErrorReason(StartWithRun(0, kStripeEntries + 1)), "CORRUPT_STORE");
}

TEST_F(EntryStoreCatalogTest, ARunOfNothingIsRefused) {
  EXPECT_EQ(ErrorReason(StartWithRun(0, 0)), "CORRUPT_STORE");
}

TEST_F(EntryStoreCatalogTest, ARunBeyondAllContextsIsRefused) {
  EXPECT_EQ(ErrorReason(StartWithRun(kMaxStripes, 1)), "CORRUPT_STORE");
}

TEST_F(EntryStoreCatalogTest, AProfileThatCannotBeIsRefused) {
  const absl::Status status = StartWith([&](const Database& database, rocksdb::WriteBatch* batch) {
    ContextRecord record = record_;
    record.profile.latent_dim = -32;
    PutContext(database, record, batch);
  });
  EXPECT_EQ(ErrorReason(status), "CORRUPT_STORE") << status;
}

TEST(EntryStoreCatalog, StartsThatEndBeforeTheFormatIsWrittenLeaveANewStore) {
  const TempDirectory directory;
  for (int i = 0; i < 3; ++i) {
    const auto interrupted = Database::Open(SmallStore(directory.path()), nullptr);
    ASSERT_TRUE(interrupted.ok()) << interrupted.status();
    EXPECT_TRUE((*interrupted)->is_new());
  }
  StoreContext context("a", Durability::kLogged);
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    ASSERT_NE(store, nullptr);
    ASSERT_TRUE(context.Add(store.get()).ok());
    ASSERT_TRUE(context.Append(store.get(), 100).ok());
  }
  Recovery recovery;
  const auto store = MustOpen(SmallStore(directory.path()), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  EXPECT_EQ(StoreContext(recovery.contexts[0]).entries(), 100u);
}

// Of contexts that were removed before and are not yet compacted away.
TEST(EntryStoreCatalog, RemovingAContextReadsNothingOfLaterOnes) {
  const TempDirectory directory;
  const auto database = Database::Open(SmallStore(directory.path()), nullptr);
  ASSERT_TRUE(database.ok()) << database.status();
  const auto write = [&](rocksdb::WriteBatch* batch) {
    ASSERT_TRUE((*database)->Write(batch, WriteMode::kLogged).ok());
  };
  constexpr uint64_t kNumber = 7;
  rocksdb::WriteBatch runs;
  for (uint64_t number = kNumber; number < kNumber + 100; ++number) {
    for (uint32_t end = 1; end <= 10; ++end) {
      PutRun(**database, {.key = {number, 0, 0, end}, .extent_number = number, .segment = 1},
             &runs);
    }
  }
  write(&runs);
  for (uint64_t number = kNumber + 1; number < kNumber + 100; ++number) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(DeleteContext(**database, number, &batch).ok());
    EXPECT_EQ(batch.Count(), 11);
    write(&batch);
  }
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  rocksdb::WriteBatch batch;
  ASSERT_TRUE(DeleteContext(**database, kNumber, &batch).ok());
  EXPECT_EQ(batch.Count(), 11);
  EXPECT_EQ(rocksdb::get_perf_context()->internal_delete_skipped_count, 0u);
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
}

}  // namespace
}  // namespace winnow
