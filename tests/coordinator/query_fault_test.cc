#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "storage/error.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using shard::AttendResult;
using shard::SelectResult;
using namespace winnow::testing;

constexpr uint32_t kEntries = 2 * kStripeEntries + 75;

// Queries over three shards, each of which holds a stripe; whatever a test breaks, the context is
// afterwards what it was.
class QueryFaultTest : public ::testing::Test {
 protected:
  QueryFaultTest()
      : cluster_(3),
        sample_(TinyProfile(), kEntries, kernels::TestSeed()),
        query_(sample_.Query({kEntries, kEntries})) {
    cluster_.Load(sample_);
  }
  ~QueryFaultTest() override { cluster_.ExpectHolds(sample_, kEntries); }

  absl::Status Select(absl::Time deadline = Unhurried()) {
    return cluster_.coordinator()
        .Select({.context = Name(), .source = IndexQueryOf(query_)}, deadline)
        .status();
  }
  absl::Status Attend(AttendPath path, absl::Time deadline = Unhurried()) {
    return cluster_.coordinator().Attend(AttendQueryOf(query_, path), deadline).status();
  }
  absl::Status Gather() {
    return cluster_.coordinator()
        .Gather({.context = Name(), .source = IndexQueryOf(query_)}, Unhurried())
        .status();
  }

  LocalCluster cluster_;
  Sample sample_;
  const SampleQuery query_;
};

TEST_F(QueryFaultTest, AShardsErrorIsTheAnswerAndIsNotTriedAgain) {
  const absl::Status gone = Error(StatusCode::kUnavailable, "GONE", "shard 1 is gone");
  cluster_.shard(1).Fail<shard::Select>(gone);
  ExpectError(Select(), StatusCode::kUnavailable, "GONE");
  EXPECT_EQ(cluster_.shard(1).calls<shard::Select>(), 1);
  cluster_.shard(1).Fail<shard::Attend>(gone);
  ExpectError(Attend(AttendPath::kPushDown), StatusCode::kUnavailable, "GONE");
  cluster_.shard(2).LoseAnswer<shard::Attend>(gone);
  ExpectError(Select(), StatusCode::kUnavailable, "GONE");
}

TEST_F(QueryFaultTest, AShardThatNeverAnswersCostsTheDeadlineAndNoMore) {
  for (const bool in_select : {true, false}) {
    if (in_select) cluster_.shard(2).Drop<shard::Select>();
    if (!in_select) cluster_.shard(2).Drop<shard::Attend>();
    const absl::Time start = absl::Now();
    const absl::Status status = Attend(AttendPath::kGather, start + absl::Seconds(1));
    EXPECT_LT(absl::Now() - start, absl::Seconds(10));
    ExpectError(status, StatusCode::kDeadlineExceeded, "DEADLINE");
    EXPECT_EQ(ErrorFacts(status)["shards"], "2");
  }
}

TEST_F(QueryFaultTest, AnotherKindOfAnswerIsABadReply) {
  const auto wrong = [](shard::Result* result) { *result = shard::Done{}; };
  cluster_.shard(0).Edit<shard::Select>(wrong);
  ExpectError(Select(), StatusCode::kInternal, "BAD_REPLY");
  cluster_.shard(0).Edit<shard::Attend>(wrong);
  ExpectError(Select(), StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(QueryFaultTest, GarbageCandidatesAreABadReply) {
  const std::vector<std::function<void(SelectResult*)>> edits = {
      [](SelectResult* result) { result->candidates.pop_back(); },
      [](SelectResult* result) { result->candidates.clear(); },
      [](SelectResult* result) { result->candidates[1][0].position = kEntries; },
      [](SelectResult* result) { result->candidates[0][3].score = std::nanf(""); },
      [](SelectResult* result) { std::swap(result->candidates[1][0], result->candidates[1][1]); },
      [](SelectResult* result) {
        result->candidates[0].push_back({-1e30f, 0});
      }};
  for (const auto& edit : edits) {
    cluster_.shard(1).EditResult<shard::Select, SelectResult>(edit);
    ExpectError(Select(), StatusCode::kInternal, "BAD_REPLY");
  }
}

TEST_F(QueryFaultTest, ARowWithoutAnyCandidateIsABadReply) {
  for (uint32_t shard = 0; shard < 3; ++shard) {
    cluster_.shard(shard).EditResult<shard::Select, SelectResult>(
        [](SelectResult* result) { result->candidates[1].clear(); });
  }
  ExpectError(Select(), StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(QueryFaultTest, AnAttentionOfTheWrongShapeIsABadReply) {
  using Edit = std::function<void(AttendResult*)>;
  const Edit fewer_rows = [](AttendResult* result) { result->counts.pop_back(); };
  const Edit no_rows = [](AttendResult* result) { *result = {}; };
  const Edit lost_winners_row = [](AttendResult* result) { result->winners.pop_back(); };
  const Edit lost_winner = [](AttendResult* result) {
    ++result->counts[0];
    result->kv_rows.resize(result->kv_rows.size() + 96);
  };
  const Edit short_rows = [](AttendResult* result) { result->kv_rows.resize(1); };
  const Edit uninvited_rows = [](AttendResult* result) { result->kv_rows.resize(96); };
  const Edit short_outputs = [](AttendResult* result) { result->outputs.pop_back(); };
  const Edit short_lse = [](AttendResult* result) { result->lse.pop_back(); };
  for (const Edit& edit : {fewer_rows, no_rows, lost_winners_row, lost_winner, short_rows}) {
    cluster_.shard(1).EditResult<shard::Attend, AttendResult>(edit);
    ExpectError(Gather(), StatusCode::kInternal, "BAD_REPLY");
    cluster_.shard(1).EditResult<shard::Attend, AttendResult>(edit);
    ExpectError(Attend(AttendPath::kGather), StatusCode::kInternal, "BAD_REPLY");
  }
  for (const Edit& edit : {fewer_rows, no_rows, uninvited_rows, short_outputs, short_lse}) {
    cluster_.shard(1).EditResult<shard::Attend, AttendResult>(edit);
    ExpectError(Attend(AttendPath::kPushDown), StatusCode::kInternal, "BAD_REPLY");
  }
}

TEST_F(QueryFaultTest, AnswersThatAgreeOnTooFewRowsAreABadReply) {
  for (uint32_t shard = 0; shard < 3; ++shard) {
    cluster_.shard(shard).EditResult<shard::Attend, AttendResult>(
        [](AttendResult* result) { result->counts.pop_back(); });
  }
  ExpectError(Select(), StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(QueryFaultTest, AShardThatLeavesOutItsWinnersIsABadReply) {
  const kernels::Candidate best = sample_.Selected(query_)[0][0];
  cluster_.HolderOf("a", best.position / kStripeEntries)
      .EditResult<shard::Attend, AttendResult>([](AttendResult* result) {
        result->counts.assign(2, 0);
        result->winners.assign(2, {});
        result->kv_rows.clear();
      });
  ExpectError(Gather(), StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(QueryFaultTest, WinnersOfAnotherRowAreABadReply) {
  // The sums over both rows stay what they were; a row's do not.
  const auto move_one = [](AttendResult* result) {
    ASSERT_FALSE(result->winners[0].empty());
    result->winners[1].insert(result->winners[1].begin(), result->winners[0].back());
    result->winners[0].pop_back();
    --result->counts[0];
    ++result->counts[1];
  };
  const kernels::Candidate best = sample_.Selected(query_)[0][0];
  FakeShard& shard = cluster_.HolderOf("a", best.position / kStripeEntries);
  shard.EditResult<shard::Attend, AttendResult>(move_one);
  ExpectError(Gather(), StatusCode::kInternal, "BAD_REPLY");
  shard.EditResult<shard::Attend, AttendResult>(move_one);
  ExpectError(Attend(AttendPath::kGather), StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(QueryFaultTest, RowsOfOtherEntriesThanWereChosenAreABadReply) {
  const kernels::Candidate best = sample_.Selected(query_)[0][0];
  FakeShard& shard = cluster_.HolderOf("a", best.position / kStripeEntries);
  const auto rename = [](AttendResult* result) { ++result->winners[0].front().position; };
  shard.EditResult<shard::Attend, AttendResult>(rename);
  ExpectError(Gather(), StatusCode::kInternal, "BAD_REPLY");
  shard.EditResult<shard::Attend, AttendResult>(rename);
  ExpectError(Attend(AttendPath::kGather), StatusCode::kInternal, "BAD_REPLY");
}

TEST_F(QueryFaultTest, WinnersOutOfOrderAreABadReply) {
  const uint64_t selection_id =
      cluster_.coordinator()
          .Select({.context = Name(), .source = IndexQueryOf(query_)}, Unhurried())
          .value()
          .selection.selection_id;
  using Edit = std::function<void(kernels::Candidate*)>;
  const kernels::Candidate best = sample_.Selected(query_)[0][0];
  FakeShard& shard = cluster_.HolderOf("a", best.position / kStripeEntries);
  for (const Edit& edit :
       {Edit([](kernels::Candidate* first) { first->score = std::nanf(""); }),
        Edit([](kernels::Candidate* first) { first->position = uint32_t{1} << 31; }),
        Edit([](kernels::Candidate* first) { *first = first[1]; })}) {
    shard.EditResult<shard::Attend, AttendResult>([&edit](AttendResult* result) {
      ASSERT_GT(result->winners[0].size(), 1u);
      edit(result->winners[0].data());
    });
    ExpectError(cluster_.coordinator()
                    .Gather({.context = Name(), .source = selection_id}, Unhurried())
                    .status(),
                StatusCode::kInternal, "BAD_REPLY");
  }
}

TEST_F(QueryFaultTest, WhatIsNoNumberIsNotServed) {
  using Edit = std::function<void(AttendResult*)>;
  for (const Edit& edit : {Edit([](AttendResult* result) { result->outputs[0] = std::nanf(""); }),
                           Edit([](AttendResult* result) { result->lse[0] = std::nanf(""); }),
                           Edit([](AttendResult* result) { result->lse[0] = HUGE_VALF; })}) {
    cluster_.HolderOf("a", sample_.Selected(query_)[0][0].position / kStripeEntries)
        .EditResult<shard::Attend, AttendResult>(edit);
    ExpectError(Attend(AttendPath::kPushDown), StatusCode::kInternal, "OVERFLOW");
  }
}

TEST_F(QueryFaultTest, MoreWinnersThanCanBeChosenAreABadReply) {
  const uint64_t selection_id =
      cluster_.coordinator()
          .Select({.context = Name(), .source = IndexQueryOf(query_)}, Unhurried())
          .value()
          .selection.selection_id;
  const size_t row_bytes = sample_.profile()->row_bytes();
  cluster_.shard(1).EditResult<shard::Attend, AttendResult>([row_bytes](AttendResult* result) {
    constexpr uint32_t kTooMany = kernels::kMaxTopK + 1;
    result->kv_rows.resize((kTooMany + result->counts[1]) * row_bytes);
    result->winners[0].resize(kTooMany);
    result->counts[0] = kTooMany;
  });
  ExpectError(cluster_.coordinator()
                  .Gather({.context = Name(), .source = selection_id}, Unhurried())
                  .status(),
              StatusCode::kInternal, "BAD_REPLY");
}

// A query that arrives just before the entries that it sees finds them when it asks again.
TEST_F(QueryFaultTest, WhatIsAppendedMeanwhileIsNotLost) {
  const absl::Status missing = Error(StatusCode::kDataLoss, "MISSING_STRIPES", "stripe 2");
  cluster_.shard(1).Fail<shard::Select>(missing);
  EXPECT_TRUE(Select().ok());
  EXPECT_EQ(cluster_.shard(1).calls<shard::Select>(), 2);
  cluster_.shard(1).Fail<shard::Select>(missing);
  cluster_.shard(1).Fail<shard::Select>(missing);
  ExpectError(Select(), StatusCode::kDataLoss, "MISSING_STRIPES");
  EXPECT_EQ(cluster_.shard(1).calls<shard::Select>(), 4);
}

TEST_F(QueryFaultTest, AStaleRouteIsRefreshedOnce) {
  const absl::Status stale = Error(StatusCode::kFailedPrecondition, "STALE_CONTEXT", "stale");
  ASSERT_TRUE(Select().ok());
  const int before = cluster_.shard(1).calls<shard::Select>();
  cluster_.shard(1).Fail<shard::Select>(stale);
  EXPECT_TRUE(Select().ok());
  EXPECT_EQ(cluster_.shard(1).calls<shard::Select>() - before, 2);
  cluster_.shard(1).Fail<shard::Select>(stale);
  cluster_.shard(1).Fail<shard::Select>(stale);
  ExpectError(Select(), StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  EXPECT_EQ(cluster_.shard(1).calls<shard::Select>() - before, 4);
}

TEST_F(QueryFaultTest, ARouteFromAnotherCoordinatorsTimeIsRefreshed) {
  const auto other = cluster_.NewCoordinator();
  ASSERT_TRUE(Select().ok());
  // The name now means a fork, which lies elsewhere and is shorter.
  cluster_.Load(sample_, "long-lived");
  ASSERT_TRUE(other->DeleteContext(Name(), Unhurried()).ok());
  ASSERT_TRUE(other->ForkContext(Name("long-lived"), 5000, "a", Unhurried()).ok());
  const absl::Status status = Select();
  ExpectError(status, StatusCode::kOutOfRange, "VISIBLE_OUT_OF_RANGE");
  EXPECT_EQ(ErrorFacts(status)["end"], "5000");
  ASSERT_TRUE(cluster_.Append(sample_, 5000, kEntries - 5000).ok());
}

}  // namespace
}  // namespace winnow::coordinator
