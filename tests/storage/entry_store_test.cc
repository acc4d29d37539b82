#include "storage/entry_store.h"

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "storage/error.h"
#include "storage/page_set.h"
#include "tests/kernels/random_data.h"
#include "tests/storage/entry_store_data.h"

namespace winnow {
namespace {

TEST(EntryStore, GivesBackWhatWasAppendedInOddPieces) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  for (const uint32_t count : {1, 62, 1, 64, 65, 127, 3, 200, 4096, 1, 5000}) {
    ASSERT_TRUE(context.Append(store.get(), count).ok());
    EXPECT_TRUE(context.Verify(store.get()).ok()) << context.Verify(store.get());
  }
  EXPECT_GT(context.stripes().size(), 2u);
}

TEST(EntryStore, FetchesRowsInTheOrderOfTheReferencesWithDuplicates) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), 6000).ok());
  kernels::RandomData random(kernels::TestSeed());
  std::vector<RowRef> rows;
  for (int i = 0; i < 500; ++i) {
    rows.push_back(context.Row(random.Int(0, 1) == 0 ? 0 : 3, random.Int(0, 5999)));
    if (i % 5 == 0) rows.push_back(rows[random.Int(0, i)]);
  }
  EXPECT_TRUE(context.VerifyRows(store.get(), rows).ok()) << context.VerifyRows(store.get(), rows);
}

// Rows come in groups of six where an append brings six that begin a group, and alone elsewhere: at
// the ends of appends, where a fork begins, and where the stripe ends before a group does.
TEST(EntryStore, FetchesRowsThatWereStoredInGroupsAndAlone) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", Durability::kLogged, LargeStoreProfile());
  ASSERT_TRUE(context.Add(store.get()).ok());
  for (const uint32_t count : {1, 1, 1, 9, 6, 1, 12, 5, 7, 3, 4040, 1, 30, 13}) {
    ASSERT_TRUE(context.Append(store.get(), count).ok());
  }
  StoreContext fork = context.Fork("b", 4097, Durability::kLogged);
  ASSERT_TRUE(fork.Add(store.get()).ok());
  ASSERT_TRUE(fork.Append(store.get(), 20).ok());
  for (const StoreContext* stored : {&context, &fork}) {
    EXPECT_TRUE(stored->Verify(store.get()).ok()) << stored->Verify(store.get());
    std::vector<RowRef> all;
    for (uint64_t i = 0; i < stored->entries(); ++i) all.push_back(stored->Row(2, i));
    EXPECT_TRUE(stored->VerifyRows(store.get(), all).ok()) << stored->VerifyRows(store.get(), all);
    // One at a time, so that nothing was learned from the row before.
    for (uint64_t i = 0; i < stored->entries(); i += i < 60 || i > 4060 ? 1 : 97) {
      const absl::Status status = stored->VerifyRows(store.get(), {stored->Row(3, i)});
      EXPECT_TRUE(status.ok()) << i << ": " << status;
    }
  }
}

TEST(EntryStore, FindsRowsInTheCacheTheSecondTime) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), 100).ok());
  const std::vector<RowRef> rows = {context.Row(0, 7), context.Row(2, 99)};
  const size_t bytes = context.record().profile.row_bytes();
  const auto first = store->FetchRows(rows, bytes, absl::InfiniteFuture());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->cache_hits(), 0u);
  const auto second = store->FetchRows(rows, bytes, absl::InfiniteFuture());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->cache_hits(), 2u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(second->rows()[0]) % 16, 0u);
  EXPECT_TRUE(context.VerifyRows(store.get(), rows).ok());
}

TEST(EntryStore, KeepsFetchedRowsWhenTheCacheIsTooSmallAndTheStoreIsGone) {
  const TempDirectory directory;
  EntryStoreOptions options = SmallStore(directory.path());
  options.row_cache_bytes = 0;
  auto store = MustOpen(options);
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), 100).ok());
  const auto fetched =
      store->FetchRows(std::vector<RowRef>{context.Row(0, 42)},
                       context.record().profile.row_bytes(), absl::InfiniteFuture());
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  store.reset();
  const auto expected = context.Entries(Plane::kKv, 0, 42, 1);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), fetched->rows()[0]));
}

TEST(EntryStore, ReadsNothingAfterTheDeadline) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(context.Append(store.get(), 100).ok());
  const absl::Time past = absl::Now() - absl::Seconds(1);
  const size_t bytes = context.record().profile.row_bytes();
  std::vector<std::byte> rows(100 * bytes);
  const StoredRange range{0, 0, 0, 100, context.stripes()[0].layers[0]};
  for (const absl::Status& late :
       {store->FetchRows(std::vector<RowRef>{context.Row(0, 1)}, bytes, past).status(),
        store->ReadRows(range, bytes, past, rows.data())}) {
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(ErrorReason(late), "DEADLINE") << late;
  }
}

TEST(EntryStore, GivesEachContextANumberOfItsOwn) {
  const TempDirectory directory;
  uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    const auto store = MustOpen(SmallStore(directory.path()));
    for (const Durability durability : {Durability::kMemory, Durability::kLogged}) {
      StoreContext context("a", durability);
      ASSERT_TRUE(context.Add(store.get()).ok());
      EXPECT_GT(context.record().number, last);
      last = context.record().number;
      ASSERT_TRUE(store->RemoveContext(context.record()).ok());
    }
  }
}

TEST(EntryStore, WritesLittleMoreThanALogAndOneCopy) {
  const TempDirectory directory;
  EntryStoreOptions options = SmallStore(directory.path());
  options.segment_bytes = size_t{4} << 20;
  const auto store = MustOpen(options);
  StoreContext context("a", Durability::kLogged, LargeStoreProfile());
  ASSERT_TRUE(context.Add(store.get()).ok());
  while (store->usage().appended_bytes < (size_t{64} << 20)) {
    ASSERT_TRUE(context.Append(store.get(), 64).ok());
  }
  ASSERT_TRUE(store->Flush().ok());
  const StoreUsage usage = store->usage();
  const double ratio = static_cast<double>(usage.written_bytes) / usage.appended_bytes;
  std::printf("bytes written / bytes appended: %.3f\n", ratio);
  RecordProperty("write_amplification", std::to_string(ratio));
  EXPECT_LE(ratio, 2.2);
  EXPECT_GE(usage.disk_bytes, usage.appended_bytes);
}

// An append waits for a slow disk no longer than it must, and others not at all.
TEST(EntryStore, RefusesAppendsThatTheDiskIsTooSlowFor) {
  const TempDirectory directory;
  EntryStoreOptions options = SmallStore(directory.path());
  options.background_bytes_per_second = 50'000;  // a second and more for a segment
  options.flush_patience = absl::Milliseconds(50);
  const auto store = MustOpen(options);
  StoreContext context("a", Durability::kLogged);
  StoreContext other("b", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(other.Add(store.get()).ok());
  absl::Status status;
  while (status.ok() && store->usage().appended_bytes < 10 * options.segment_bytes) {
    status = context.Append(store.get(), 50);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(ErrorReason(status), "DISK_BEHIND");
  EXPECT_TRUE(store->RemoveContext(other.record()).ok());
  const absl::Time limit = absl::Now() + absl::Seconds(60);
  while (!status.ok() && absl::Now() < limit) status = context.Append(store.get(), 1);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(EntryStore, TakesAppendsAndFetchesAtTheSameTime) {
  const TempDirectory directory;
  const auto store = MustOpen(SmallStore(directory.path()));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      StoreContext context("context " + std::to_string(t),
                           t == 0 ? Durability::kMemory : Durability::kLogged);
      ASSERT_TRUE(context.Add(store.get()).ok());
      std::mt19937 random(t);
      for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(context.Append(store.get(), 1 + random() % 100).ok());
        std::vector<RowRef> rows;
        for (int r = 0; r < 20; ++r) rows.push_back(context.Row(3, random() % context.entries()));
        const absl::Status status = context.VerifyRows(store.get(), rows);
        ASSERT_TRUE(status.ok()) << status;
      }
      const absl::Status status = context.Verify(store.get());
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_TRUE(store->RemoveContext(context.record()).ok());
    });
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(store->Reclaim().ok());
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace winnow
