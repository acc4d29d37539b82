#include "services/cluster/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/error.h"
#include "tests/support/temp_dir.h"

namespace winnow::cluster {
namespace {

using Facts = std::map<std::string, std::string>;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

struct StoreKind {
  const char* name;
  std::unique_ptr<MetadataStore> (*make)();

  friend void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }
};

// In a file of its own for each store.
std::unique_ptr<MetadataStore> NewMetadataInAFile() {
  static const winnow::testing::TempDir folder;
  static int files = 0;
  return OpenEmbeddedMetadata(folder.path() + "/" + std::to_string(files++)).value();
}

std::string NameOf(const ::testing::TestParamInfo<StoreKind>& info) { return info.param.name; }

// What every MetadataStore must do, on an empty store of its kind.
class MetadataConformanceTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  int64_t Put(const std::string& key, const std::string& value, int64_t expected = 0) {
    const absl::StatusOr<int64_t> revision = store_->Put(key, value, expected);
    EXPECT_TRUE(revision.ok()) << revision.status();
    return revision.value_or(-1);
  }

  void ExpectHeld(const std::string& key, const std::string& value, int64_t revision) {
    const absl::StatusOr<MetadataEntry> entry = store_->Get(key);
    ASSERT_TRUE(entry.ok()) << entry.status();
    EXPECT_EQ(entry->key, key);
    EXPECT_EQ(entry->value, value);
    EXPECT_EQ(entry->revision, revision);
  }

  std::vector<std::pair<std::string, std::string>> List(const std::string& prefix) {
    const absl::StatusOr<std::vector<MetadataEntry>> entries = store_->List(prefix);
    EXPECT_TRUE(entries.ok()) << entries.status();
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const MetadataEntry& entry : entries.value_or(std::vector<MetadataEntry>())) {
      pairs.emplace_back(entry.key, entry.value);
    }
    return pairs;
  }

  static void ExpectMismatch(const absl::Status& status, int64_t held) {
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    EXPECT_EQ(ErrorReason(status), "REVISION_MISMATCH");
    EXPECT_EQ(ErrorFacts(status), (Facts{{"revision", std::to_string(held)}}));
  }

  const std::unique_ptr<MetadataStore> store_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Stores, MetadataConformanceTest,
                         ::testing::Values(StoreKind{"Embedded", NewEmbeddedMetadata},
                                           StoreKind{"EmbeddedInAFile", NewMetadataInAFile}),
                         NameOf);

TEST_P(MetadataConformanceTest, HoldsNothingAtFirst) {
  EXPECT_EQ(store_->Get("nodes/1").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Delete("nodes/1", 0).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(List(""), IsEmpty());
}

TEST_P(MetadataConformanceTest, ReturnsWhatWasPut) {
  const int64_t first = Put("nodes/1", "one");
  EXPECT_GT(first, 0);
  ExpectHeld("nodes/1", "one", first);
  const int64_t second = Put("nodes/1", "uno", first);
  EXPECT_GT(second, first);
  ExpectHeld("nodes/1", "uno", second);
}

TEST_P(MetadataConformanceTest, KeepsBytesThatAreNotText) {
  const std::string bytes("\0\xff\n/", 4);
  ExpectHeld("nodes/1", bytes, Put("nodes/1", bytes));
  ExpectHeld("nodes/2", "", Put("nodes/2", ""));
  const std::string large(100'000, '\x80');
  ExpectHeld("nodes/3", large, Put("nodes/3", large));
}

TEST_P(MetadataConformanceTest, FindsOnlyTheExactKey) {
  Put("nodes/1", "one");
  for (const std::string key : {"nodes/", "nodes/10", "Nodes/1", "odes/1"}) {
    EXPECT_EQ(store_->Get(key).status().code(), absl::StatusCode::kNotFound) << key;
    EXPECT_EQ(store_->Delete(key, 1).code(), absl::StatusCode::kNotFound) << key;
  }
  EXPECT_THAT(List(""), ElementsAre(Pair("nodes/1", "one")));
}

TEST_P(MetadataConformanceTest, RaisesTheRevisionWithEveryWriteToAnyKey) {
  const int64_t a = Put("a", "1");
  const int64_t b = Put("b", "1");
  const int64_t again = Put("a", "2", a);
  EXPECT_LT(a, b);
  EXPECT_LT(b, again);
  ExpectHeld("b", "1", b);
}

TEST_P(MetadataConformanceTest, PutsOnlyAtTheExpectedRevision) {
  const int64_t first = Put("a", "1");
  Put("b", "1");
  const int64_t held = Put("a", "2", first);
  for (const int64_t expected : {int64_t{0}, first, held - 1, held + 1, int64_t{-1}}) {
    ExpectMismatch(store_->Put("a", "3", expected).status(), held);
  }
  ExpectHeld("a", "2", held);
  ExpectHeld("a", "3", Put("a", "3", held));
}

TEST_P(MetadataConformanceTest, RefusesARevisionOfAKeyThatIsNotHeld) {
  const int64_t other = Put("b", "1");
  for (const int64_t expected : {int64_t{1}, int64_t{-1}, other}) {
    ExpectMismatch(store_->Put("a", "1", expected).status(), 0);
  }
  EXPECT_EQ(store_->Get("a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_GT(Put("a", "1", 0), other);
}

TEST_P(MetadataConformanceTest, DeletesOnlyAtTheExpectedRevision) {
  const int64_t first = Put("a", "1");
  const int64_t held = Put("a", "2", first);
  for (const int64_t expected : {int64_t{0}, first, held + 1, int64_t{-1}}) {
    ExpectMismatch(store_->Delete("a", expected), held);
  }
  ExpectHeld("a", "2", held);
  EXPECT_TRUE(store_->Delete("a", held).ok());
  EXPECT_EQ(store_->Get("a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Delete("a", held).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(List(""), IsEmpty());
}

TEST_P(MetadataConformanceTest, NeverRepeatsARevisionAfterADelete) {
  const int64_t first = Put("a", "1");
  ASSERT_TRUE(store_->Delete("a", first).ok());
  ExpectMismatch(store_->Put("a", "2", first).status(), 0);
  const int64_t second = Put("a", "2");
  EXPECT_GT(second, first);
  ExpectMismatch(store_->Delete("a", first), second);
}

TEST_P(MetadataConformanceTest, LeavesOtherKeysAloneWhenOneIsDeleted) {
  const int64_t a = Put("a", "1");
  const int64_t aa = Put("aa", "2");
  const int64_t b = Put("b", "3");
  ASSERT_TRUE(store_->Delete("a", a).ok());
  ExpectHeld("aa", "2", aa);
  ExpectHeld("b", "3", b);
}

TEST_P(MetadataConformanceTest, ListsAPrefixInTheOrderOfItsBytes) {
  for (const std::string key :
       {"p/b", "p/\xff", "q/a", "p/a/z", "p/B", "p/a", "p/10", "p/", "p", "p0", "o\xff", "p/9"}) {
    Put(key, "v" + key);
  }
  EXPECT_THAT(List("p/"),
              ElementsAre(Pair("p/", "vp/"), Pair("p/10", "vp/10"), Pair("p/9", "vp/9"),
                          Pair("p/B", "vp/B"), Pair("p/a", "vp/a"), Pair("p/a/z", "vp/a/z"),
                          Pair("p/b", "vp/b"), Pair("p/\xff", "vp/\xff")));
  EXPECT_THAT(List("p/a"), ElementsAre(Pair("p/a", "vp/a"), Pair("p/a/z", "vp/a/z")));
  EXPECT_THAT(List("p/\xff"), ElementsAre(Pair("p/\xff", "vp/\xff")));
  EXPECT_THAT(List("p/c"), IsEmpty());
  EXPECT_THAT(List("r"), IsEmpty());
  EXPECT_EQ(List("").size(), 12u);
}

TEST_P(MetadataConformanceTest, ListsEntriesAsGetReturnsThem) {
  const int64_t a = Put("a", "1");
  Put("b", "2");
  const int64_t again = Put("a", "3", a);
  const absl::StatusOr<std::vector<MetadataEntry>> entries = store_->List("a");
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().value, "3");
  EXPECT_EQ(entries->front().revision, again);
}

// Puts `value` at `expected`; on success counts a win and stores the revision.
struct Contest {
  std::atomic<int> wins = 0;
  std::atomic<int64_t> revision = 0;
  std::string winner;

  absl::Status Enter(MetadataStore& store, const std::string& value, int64_t expected) {
    const absl::StatusOr<int64_t> put = store.Put("leader", value, expected);
    if (!put.ok()) return put.status();
    if (++wins == 1) winner = value;
    revision = *put;
    return absl::OkStatus();
  }
};

TEST_P(MetadataConformanceTest, LetsExactlyOneOfSeveralPutsAtARevisionWin) {
  int64_t expected = 0;
  for (int round = 0; round < 50; ++round) {
    Contest contest;
    std::vector<absl::Status> results(4);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const std::string value = std::to_string(round) + "-" + std::to_string(i);
        results[i] = contest.Enter(*store_, value, expected);
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(contest.wins.load(), 1);
    EXPECT_GT(contest.revision.load(), expected);
    for (const absl::Status& result : results) {
      if (!result.ok()) ExpectMismatch(result, contest.revision);
    }
    ExpectHeld("leader", contest.winner, contest.revision);
    expected = contest.revision;
  }
}

// Adds one to the number under "count", as often as it takes.
void Increment(MetadataStore& store) {
  for (;;) {
    const absl::StatusOr<MetadataEntry> entry = store.Get("count");
    ASSERT_TRUE(entry.ok()) << entry.status();
    const std::string next = std::to_string(std::stoi(entry->value) + 1);
    const absl::StatusOr<int64_t> put = store.Put("count", next, entry->revision);
    if (put.ok()) return;
    ASSERT_EQ(ErrorReason(put.status()), "REVISION_MISMATCH");
  }
}

TEST_P(MetadataConformanceTest, LosesNoUpdateOfReadersThatWriteBack) {
  Put("count", "0");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int round = 0; round < 100; ++round) Increment(*store_);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(List("count"), ElementsAre(Pair("count", "400")));
}

TEST_P(MetadataConformanceTest, GivesNoRevisionToTwoWrites) {
  std::vector<std::vector<int64_t>> revisions(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i, mine = &revisions[i]] {
      for (int n = 0; n < 100; ++n) {
        mine->push_back(Put(std::to_string(i) + "/" + std::to_string(n), "v"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<int64_t> distinct;
  for (const std::vector<int64_t>& mine : revisions) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    distinct.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(distinct.size(), 400u);
}

}  // namespace
}  // namespace winnow::cluster
