#include "services/shard/selection_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/sample.h"

namespace winnow::shard {
namespace {

using absl::StatusCode;
using kernels::Candidate;
using testing::ExpectError;

std::shared_ptr<Context> NewContext(const std::string& id) {
  static PageArena arena(0);
  const auto profile = std::make_shared<const Profile>(testing::TinyProfile());
  return Context::Create({.profile = profile,
                          .arena = &arena,
                          .record = {.context_id = id, .tenant = "t", .profile = *profile}})
      .value();
}

std::shared_ptr<Selection> SelectionOf(const std::shared_ptr<Context>& context) {
  return std::make_shared<Selection>(context, Selection::Rows{{{1, 0}}});
}

TEST(FixWinners, KeepsWhatIsNotWorseThanTheThreshold) {
  Selection selection({}, {{{5, 9}, {3, 1}, {3, 4}, {2, 0}}, {{1, 7}}, {}});
  const Selection::Rows expected = {{{5, 9}, {3, 1}}, {{1, 7}}, {}};
  EXPECT_EQ(*selection.FixWinners({{3, 2}, {1, 7}, {0, 0}}), expected);
  EXPECT_EQ(*selection.FixWinners({}), expected);
}

TEST(FixWinners, KeepsAllNoneOrSomeExactlyAsAFilterWould) {
  kernels::RandomData random(kernels::TestSeed());
  for (int round = 0; round < 300; ++round) {
    std::vector<Candidate> row;
    for (uint32_t position = 0; position < 40; ++position) {
      if (random.Int(0, 1) == 1) row.push_back({static_cast<float>(random.Int(-2, 2)), position});
    }
    std::sort(row.begin(), row.end(), kernels::Better);
    const Candidate threshold{static_cast<float>(random.Int(-3, 3)),
                              static_cast<uint32_t>(random.Int(0, 40))};
    std::vector<Candidate> expected;
    for (const Candidate& candidate : row) {
      if (!kernels::Better(threshold, candidate)) expected.push_back(candidate);
    }
    Selection selection({}, {row});
    ASSERT_EQ(*selection.FixWinners({threshold}), Selection::Rows{expected});
  }
}

TEST(FixWinners, AWrongNumberOfThresholdsFixesNothing) {
  Selection selection({}, {{{1, 0}, {0, 1}}, {{1, 0}}});
  ExpectError(selection.FixWinners({{1, 0}}).status(), StatusCode::kInvalidArgument, "BAD_FIELD");
  ExpectError(selection.FixWinners({{1, 0}, {1, 0}, {1, 0}}).status(), StatusCode::kInvalidArgument,
              "BAD_FIELD");
  ExpectError(selection.FixWinners({}).status(), StatusCode::kFailedPrecondition, "THRESHOLDS");
  EXPECT_EQ(*selection.FixWinners({{0, 1}, {1, 0}}), (Selection::Rows{{{1, 0}, {0, 1}}, {{1, 0}}}));
}

TEST(SelectionTable, FindsWhatWasInsertedForItsContextOnly) {
  const auto a = NewContext("a");
  const auto same_name = NewContext("a");
  SelectionTable table(10, absl::InfiniteDuration());
  const auto selection = SelectionOf(a);
  ASSERT_TRUE(table.Insert(7, selection).ok());
  EXPECT_EQ(*table.Find(7, *a), selection);
  ExpectError(table.Find(7, *same_name).status(), StatusCode::kNotFound, "SELECTION_EXPIRED");
  ExpectError(table.Find(8, *a).status(), StatusCode::kNotFound, "SELECTION_EXPIRED");
}

TEST(SelectionTable, DoesNotKeepAContextAlive) {
  auto context = NewContext("a");
  const std::weak_ptr<Context> alive = context;
  SelectionTable table(10, absl::InfiniteDuration());
  ASSERT_TRUE(table.Insert(7, SelectionOf(context)).ok());
  context = nullptr;
  EXPECT_TRUE(alive.expired());
}

TEST(SelectionTable, AnIdIsTakenUntilItsSelectionIsGone) {
  const auto context = NewContext("a");
  SelectionTable table(1, absl::InfiniteDuration());
  const auto first = SelectionOf(context);
  ASSERT_TRUE(table.Insert(1, first).ok());
  ExpectError(table.Insert(1, SelectionOf(context)), StatusCode::kInvalidArgument, "BAD_FIELD");
  EXPECT_EQ(*table.Find(1, *context), first);
  ASSERT_TRUE(table.Insert(2, SelectionOf(context)).ok());
  EXPECT_TRUE(table.Insert(1, SelectionOf(context)).ok());
}

TEST(SelectionTable, HoldsTheMostRecentlyUsedAsAModelDoes) {
  const auto context = NewContext("a");
  kernels::RandomData random(kernels::TestSeed());
  SelectionTable table(5, absl::InfiniteDuration());
  std::vector<uint64_t> model;  // the least recently used first
  for (int step = 0; step < 2000; ++step) {
    const uint64_t id = random.Int(1, 12);
    const auto at = std::find(model.begin(), model.end(), id);
    const bool held = at != model.end();
    if (random.Int(0, 1) == 0) {
      ASSERT_EQ(table.Insert(id, SelectionOf(context)).ok(), !held);
      if (held) continue;
      if (model.size() == 5) model.erase(model.begin());
      model.push_back(id);
    } else {
      ASSERT_EQ(table.Find(id, *context).ok(), held);
      if (held) std::rotate(at, at + 1, model.end());
    }
  }
}

TEST(SelectionTable, MakesRoomForAllThatALargeOneTakes) {
  const auto context = NewContext("a");
  const auto of_size = [&](size_t candidates) {
    return std::make_shared<Selection>(
        context, Selection::Rows{std::vector<Candidate>(candidates, Candidate{1, 0})});
  };
  SelectionTable table(10, absl::InfiniteDuration(), 3 * of_size(100)->bytes());
  for (const uint64_t id : {1, 2, 3}) ASSERT_TRUE(table.Insert(id, of_size(100)).ok());
  ASSERT_TRUE(table.Find(1, *context).ok());
  ASSERT_TRUE(table.Insert(4, of_size(150)).ok());
  for (const uint64_t id : {2, 3}) {
    ExpectError(table.Find(id, *context).status(), StatusCode::kNotFound, "SELECTION_EXPIRED");
  }
  ASSERT_TRUE(table.Find(1, *context).ok());
  ASSERT_TRUE(table.Insert(5, of_size(1000)).ok());
  ASSERT_TRUE(table.Find(5, *context).ok());
  ASSERT_TRUE(table.Insert(6, of_size(10)).ok());
  for (const uint64_t id : {1, 4, 5}) EXPECT_FALSE(table.Find(id, *context).ok()) << id;
  for (const uint64_t id : {7, 8}) ASSERT_TRUE(table.Insert(id, of_size(100)).ok());
  for (const uint64_t id : {6, 7, 8}) EXPECT_TRUE(table.Find(id, *context).ok()) << id;
}

TEST(SelectionTable, ForgetsWhatWasNotUsedForItsTimeToLive) {
  const auto context = NewContext("a");
  SelectionTable table(10, absl::Seconds(1));
  ASSERT_TRUE(table.Insert(1, SelectionOf(context)).ok());
  ASSERT_TRUE(table.Insert(2, SelectionOf(context)).ok());
  const absl::Time start = absl::Now();
  while (absl::Now() < start + absl::Milliseconds(1400)) {
    ASSERT_TRUE(table.Find(1, *context).ok());
    absl::SleepFor(absl::Milliseconds(20));
  }
  ExpectError(table.Find(2, *context).status(), StatusCode::kNotFound, "SELECTION_EXPIRED");
}

}  // namespace
}  // namespace winnow::shard
