#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "storage/entry_store.h"
#include "storage/page_set.h"
#include "tests/storage/entry_store_data.h"

namespace winnow {
namespace {

// Appends so that the entries lie in many segments.
void AppendMuch(EntryStore* store, StoreContext* context) {
  for (int i = 0; i < 40; ++i) {
    const absl::Status status = context->Append(store, 150);
    ASSERT_TRUE(status.ok()) << status;
  }
}

class Reopening : public ::testing::TestWithParam<Durability> {};

TEST_P(Reopening, FindsEverythingAfterACleanClose) {
  const TempDirectory directory;
  StoreContext context("a", GetParam());
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    ASSERT_TRUE(context.Add(store.get()).ok());
    AppendMuch(store.get(), &context);
  }
  Recovery recovery;
  const auto store = MustOpen(SmallStore(directory.path()), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  EXPECT_EQ(recovery.contexts[0].record, context.record());
  EXPECT_EQ(recovery.entries_from_log, 0u);
  StoreContext found(recovery.contexts[0]);
  EXPECT_EQ(found.entries(), context.entries());
  EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
  // And it goes on.
  AppendMuch(store.get(), &found);
  EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
}

TEST_P(Reopening, FindsEveryAcknowledgedAppendAfterACrash) {
  const TempDirectory directory;
  const TempDirectory crashed;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", GetParam());
  ASSERT_TRUE(context.Add(store.get()).ok());
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(context.Append(store.get(), 1 + 37 * i % 90).ok());
    if (i % 3 != 0) continue;
    const std::string copy = crashed / std::to_string(i);
    CopyDirectory(directory.path(), copy);
    Recovery recovery;
    const auto reopened = MustOpen(SmallStore(copy), &recovery);
    ASSERT_NE(reopened, nullptr);
    ASSERT_EQ(recovery.contexts.size(), 1u);
    StoreContext found(recovery.contexts[0]);
    EXPECT_EQ(found.entries(), context.entries());
    EXPECT_TRUE(found.Verify(reopened.get()).ok()) << found.Verify(reopened.get());
  }
}

// Never returns: a thread kills the process while it appends. What was acknowledged is in a file.
void AppendUntilKilled(const std::string& directory, Durability durability) {
  Recovery recovery;
  auto store = EntryStore::Open(SmallStore(directory + "/store"), &recovery);
  StoreContext context("a", durability);
  if (!store.ok() || !context.Add(store->get()).ok()) _exit(1);
  std::thread killer([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + std::random_device()() % 400));
    kill(getpid(), SIGKILL);
  });
  const int acknowledged = open((directory + "/acknowledged").c_str(), O_CREAT | O_WRONLY, 0644);
  while (context.Append(store->get(), 97).ok()) {
    const uint64_t entries = context.entries();
    if (pwrite(acknowledged, &entries, sizeof entries, 0) != sizeof entries) _exit(1);
  }
  _exit(1);
}

TEST_P(Reopening, FindsEveryAcknowledgedAppendAfterAKill) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TempDirectory made;
  // The process that dies runs this test from its beginning too.
  const char* inherited = getenv("WINNOW_KILLED_STORE");
  const std::string directory = inherited == nullptr ? made.path() : inherited;
  setenv("WINNOW_KILLED_STORE", directory.c_str(), 1);
  EXPECT_EXIT(AppendUntilKilled(directory, GetParam()), ::testing::KilledBySignal(SIGKILL), "");
  unsetenv("WINNOW_KILLED_STORE");
  uint64_t entries = 0;
  const int acknowledged = open((directory + "/acknowledged").c_str(), O_RDONLY);
  ASSERT_EQ(read(acknowledged, &entries, sizeof entries), static_cast<ssize_t>(sizeof entries));
  close(acknowledged);
  Recovery recovery;
  const auto store = MustOpen(SmallStore(directory + "/store"), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  const StoreContext found(recovery.contexts[0]);
  EXPECT_GE(found.entries(), entries);
  EXPECT_LE(found.entries(), entries + 97);
  EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
}

INSTANTIATE_TEST_SUITE_P(EntryStore, Reopening,
                         ::testing::Values(Durability::kLogged, Durability::kSynced));

// A process that is killed before the seal is renewed must not be told that a log is missing.
TEST(EntryStoreRecovery, KeepsALogThatIsNotNeededAsLongAsTheSealListsIt) {
  const TempDirectory directory;
  const TempDirectory killed;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  ASSERT_TRUE(store->Flush().ok());
  ASSERT_TRUE(context.Append(store.get(), 10).ok());
  // In the way of a new seal, once the last one is finished.
  std::error_code exists;
  while (!std::filesystem::create_directory(directory / "SEALED.unfinished", exists)) {
  }
  ASSERT_TRUE(store->Flush().ok());
  CopyDirectory(directory.path(), killed.path());
  Recovery recovery;
  const auto reopened = MustOpen(SmallStore(killed.path()), &recovery);
  ASSERT_NE(reopened, nullptr);
  const StoreContext found(recovery.contexts.at(0));
  EXPECT_EQ(found.entries(), 10u);
  EXPECT_TRUE(found.Verify(reopened.get()).ok()) << found.Verify(reopened.get());
}

TEST(EntryStoreRecovery, ForgetsContextsThatWereOnlyInMemory) {
  const TempDirectory directory;
  StoreContext memory("memory", Durability::kMemory);
  StoreContext logged("logged", Durability::kLogged);
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    ASSERT_TRUE(memory.Add(store.get()).ok());
    ASSERT_TRUE(logged.Add(store.get()).ok());
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(memory.Append(store.get(), 100).ok());
      ASSERT_TRUE(logged.Append(store.get(), 100).ok());
    }
    EXPECT_TRUE(memory.Verify(store.get()).ok()) << memory.Verify(store.get());
  }
  memory.Drop();
  logged.Drop();
  Recovery recovery;
  const auto store = MustOpen(SmallStore(directory.path()), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  const StoreContext found(recovery.contexts[0]);
  EXPECT_EQ(found.record().context_id, "logged");
  EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
}

TEST(EntryStoreRecovery, FindsUpdatesAndNoRemovedContexts) {
  const TempDirectory directory;
  StoreContext kept("kept", Durability::kLogged);
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    StoreContext removed("removed", Durability::kLogged);
    ASSERT_TRUE(kept.Add(store.get()).ok());
    ASSERT_TRUE(removed.Add(store.get()).ok());
    ASSERT_TRUE(removed.Append(store.get(), 500).ok());
    ASSERT_TRUE(kept.Append(store.get(), 500).ok());
    ASSERT_TRUE(store->RemoveContext(removed.record()).ok());
    removed.Drop();
    kept.record().sealed = true;
    kept.record().expires_at = absl::FromUnixSeconds(5'000'000'000);
    ASSERT_TRUE(store->UpdateContext(kept.record()).ok());
  }
  Recovery recovery;
  const auto store = MustOpen(SmallStore(directory.path()), &recovery);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  EXPECT_EQ(recovery.contexts[0].record, kept.record());
}

TEST(EntryStoreRecovery, FindsForksAlsoOfWhatWasRemoved) {
  for (const Durability parent_durability : {Durability::kLogged, Durability::kMemory}) {
    for (const uint64_t at : {uint64_t{1}, uint64_t{700}, uint64_t{4096}, uint64_t{4500}}) {
      const TempDirectory directory;
      const TempDirectory crashed;
      uint64_t entries = 0;
      {
        const auto store = MustOpen(SmallStore(directory.path()));
        StoreContext parent("parent", parent_durability);
        ASSERT_TRUE(parent.Add(store.get()).ok());
        ASSERT_TRUE(parent.Append(store.get(), 5000).ok());
        StoreContext child = parent.Fork("child", at, Durability::kLogged);
        ASSERT_TRUE(child.Add(store.get()).ok());
        ASSERT_TRUE(parent.Append(store.get(), 100).ok());
        ASSERT_TRUE(child.Append(store.get(), 150).ok());
        ASSERT_TRUE(store->RemoveContext(parent.record()).ok());
        parent.Drop();
        ASSERT_TRUE(child.Append(store.get(), 150).ok());
        EXPECT_TRUE(child.Verify(store.get()).ok()) << child.Verify(store.get());
        entries = child.entries();
        CopyDirectory(directory.path(), crashed / "copy");
      }
      for (const std::string& path : {directory.path(), crashed / "copy"}) {
        Recovery recovery;
        const auto store = MustOpen(SmallStore(path), &recovery);
        ASSERT_EQ(recovery.contexts.size(), 1u);
        StoreContext found(recovery.contexts[0]);
        EXPECT_EQ(found.record().origin, (ForkOrigin{"parent", at}));
        EXPECT_EQ(found.entries(), entries);
        ASSERT_TRUE(store->Reclaim().ok());
        EXPECT_TRUE(found.Verify(store.get()).ok()) << found.Verify(store.get());
      }
    }
  }
}

TEST(EntryStoreRecovery, ReadsOnlyTheOpenSegmentOffItsKeys) {
  const TempDirectory directory;
  const TempDirectory crashed;
  const auto store = MustOpen(SmallStore(directory.path()));
  StoreContext context("a", Durability::kLogged);
  ASSERT_TRUE(context.Add(store.get()).ok());
  AppendMuch(store.get(), &context);
  CopyDirectory(directory.path(), crashed / "copy");
  Recovery recovery;
  const auto reopened = MustOpen(SmallStore(crashed / "copy"), &recovery);
  EXPECT_LT(recovery.entries_from_log, 2000u);
  ASSERT_EQ(recovery.contexts.size(), 1u);
  EXPECT_EQ(StoreContext(recovery.contexts[0]).entries(), context.entries());
}

}  // namespace
}  // namespace winnow
