#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "services/coordinator/winners.h"
#include "tests/support/sample.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using kernels::Candidate;
using ::testing::ElementsAre;
using winnow::testing::ExpectError;

std::vector<shard::SelectResult> Results(std::vector<CandidateRows> shards) {
  std::vector<shard::SelectResult> results;
  for (CandidateRows& rows : shards) results.push_back({.candidates = std::move(rows)});
  return results;
}

// [T] the best k over all shards, by a sort.
CandidateRows BruteForce(const std::vector<shard::SelectResult>& results, uint32_t k) {
  CandidateRows merged(results.front().candidates.size());
  for (size_t row = 0; row < merged.size(); ++row) {
    for (const auto& result : results) {
      const auto& list = result.candidates[row];
      merged[row].insert(merged[row].end(), list.begin(), list.end());
    }
    std::sort(merged[row].begin(), merged[row].end(), kernels::Better);
    if (merged[row].size() > k) merged[row].resize(k);
  }
  return merged;
}

// That the thresholds pick exactly the merged set from what each shard sent.
void CheckThresholds(const std::vector<shard::SelectResult>& results, const CandidateRows& merged) {
  const std::vector<Candidate> thresholds = Thresholds(merged);
  CandidateRows picked(merged.size());
  WinnerCounts by_shard;
  for (const auto& result : results) {
    std::vector<uint32_t>& counts = by_shard.emplace_back(merged.size());
    for (size_t row = 0; row < merged.size(); ++row) {
      for (const Candidate& candidate : result.candidates[row]) {
        if (kernels::Better(thresholds[row], candidate)) continue;
        picked[row].push_back(candidate);
        ++counts[row];
      }
    }
  }
  for (auto& row : picked) std::sort(row.begin(), row.end(), kernels::Better);
  ASSERT_EQ(picked, merged);
  ASSERT_EQ(CountWinners(results, thresholds), by_shard);
}

TEST(MergeRows, TiesGoToTheLowerPosition) {
  const auto results = Results({{{{1, 7}, {1, 9}}}, {{{2, 8}, {1, 3}}}, {{}}});
  EXPECT_EQ(MergeRows(results, 3), (CandidateRows{{{2, 8}, {1, 3}, {1, 7}}}));
}

TEST(MergeRows, EachRowIsMergedByItself) {
  const auto results = Results({{{{4, 1}}, {}, {{-1, 0}}}, {{{5, 2}}, {{0, 3}}, {{-2, 1}}}});
  EXPECT_EQ(MergeRows(results, 1), (CandidateRows{{{5, 2}}, {{0, 3}}, {{-1, 0}}}));
  EXPECT_THAT(CountWinners(results, Thresholds(MergeRows(results, 1))),
              ElementsAre(ElementsAre(0, 0, 1), ElementsAre(1, 1, 0)));
}

TEST(MergeRows, ThresholdsAndCountsAgreeForEverySmallDivision) {
  // Six candidates with scores 0 and 1 dealt to three shards in every way.
  for (int scores = 0; scores < 64; ++scores) {
    for (int deal = 0; deal < 729; ++deal) {
      std::vector<CandidateRows> shards(3, CandidateRows(1));
      for (int i = 0, d = deal; i < 6; ++i, d /= 3) {
        shards[d % 3][0].push_back({static_cast<float>(scores >> i & 1), static_cast<uint32_t>(i)});
      }
      for (auto& rows : shards) std::sort(rows[0].begin(), rows[0].end(), kernels::Better);
      const auto results = Results(shards);
      for (uint32_t k = 1; k <= 7; ++k) {
        const CandidateRows merged = MergeRows(results, k);
        ASSERT_EQ(merged, BruteForce(results, k));
        CheckThresholds(results, merged);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(MergeRows, EqualsASortOnRandomAnswers) {
  kernels::RandomData random(kernels::TestSeed());
  for (int round = 0; round < 200; ++round) {
    const int rows = random.Int(1, 4);
    std::vector<CandidateRows> shards(random.Int(1, 8), CandidateRows(rows));
    for (int row = 0; row < rows; ++row) {
      for (uint32_t i = 0; i < 200; ++i) {
        shards[random.Int(0, static_cast<int>(shards.size()) - 1)][row].push_back(
            {static_cast<float>(random.Int(-20, 20)), i});
      }
      for (auto& shard : shards) {
        std::sort(shard[row].begin(), shard[row].end(), kernels::Better);
      }
    }
    const auto results = Results(shards);
    const uint32_t k = random.Int(1, 250);
    const CandidateRows merged = MergeRows(results, k);
    ASSERT_EQ(merged, BruteForce(results, k));
    CheckThresholds(results, merged);
    if (HasFatalFailure()) return;
  }
}

// Shard 0 holds the first stripe and shard 1 the second.
constexpr uint32_t kNext = kStripeEntries;
const std::vector<std::vector<uint32_t>> kStripes = {{0}, {1}};

TEST(CheckCandidates, AcceptsWhatAShardMaySend) {
  EXPECT_TRUE(CheckCandidates(Results({{{{3, 9}, {3, 10}}}, {{{INFINITY, kNext}}}}), kStripes,
                              {kNext + 1}, 2)
                  .ok());
  EXPECT_TRUE(
      CheckCandidates(Results({{{{0, 1}, {0, 2}, {-INFINITY, 0}}}, {{}}}), kStripes, {3}, 3).ok());
}

TEST(CheckCandidates, RefusesEachKindOfBadAnswer) {
  // The first row sees five entries of shard 1, the second sees two; the best three are asked for.
  const CandidateRows good = {{{4, kNext}, {3, kNext + 1}, {2, kNext + 2}},
                              {{2, kNext + 1}, {1, kNext}}};
  const CandidateRows first = {{{3, 0}, {2, 1}, {1, 2}}, {{3, 0}, {2, 1}, {1, 2}}};
  const std::vector<uint32_t> visible = {kNext + 5, kNext + 2};
  ASSERT_TRUE(CheckCandidates(Results({first, good}), kStripes, visible, 3).ok());
  const auto with_first = [&](std::vector<kernels::Candidate> row) {
    return CandidateRows{std::move(row), good[1]};
  };
  const std::vector<std::pair<const char*, CandidateRows>> bad = {
      {"no rows", {}},
      {"too few rows", {good[0]}},
      {"too many rows", {good[0], good[1], good[1]}},
      {"a candidate too few", with_first({{4, kNext}, {3, kNext + 1}})},
      {"more than k", with_first({{4, kNext}, {3, kNext + 1}, {2, kNext + 2}, {1, kNext + 3}})},
      {"a position that is not visible", with_first({{4, kNext}, {3, kNext + 1}, {2, kNext + 5}})},
      {"a position visible to another row only", {good[0], {{2, kNext + 2}, {1, kNext}}}},
      {"another shard's position", with_first({{4, kNext}, {3, kNext + 1}, {2, 7}})},
      {"a score that is no number", with_first({{std::nanf(""), kNext}, good[0][1], good[0][2]})},
      {"ascending scores", with_first({{1, kNext}, {2, kNext + 1}, {0, kNext + 2}})},
      {"a tie in the wrong order", with_first({{1, kNext + 1}, {1, kNext}, {0, kNext + 2}})},
      {"a candidate twice", with_first({{1, kNext}, {1, kNext}, {0, kNext + 2}})},
  };
  for (const auto& [what, rows] : bad) {
    SCOPED_TRACE(what);
    const absl::Status status = CheckCandidates(Results({first, rows}), kStripes, visible, 3);
    ExpectError(status, StatusCode::kInternal, "BAD_REPLY");
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("shard 1"));
  }
}

TEST(CheckWinners, RefusesAShardThatAnswersForOtherWinnersThanItHas) {
  std::vector<shard::AttendResult> results(2);
  results[0].counts = {2, 3};
  results[1].counts = {0, 0};
  EXPECT_TRUE(CheckWinners(results, {{2, 3}, {0, 0}}).ok());
  for (const WinnerCounts& other : std::vector<WinnerCounts>{{{2, 3}, {0, 1}},
                                                             {{2, 2}, {0, 0}},
                                                             {{3, 2}, {0, 0}},
                                                             {{2, 3, 0}, {0, 0, 0}},
                                                             {{5}, {0}}}) {
    const absl::Status status = CheckWinners(results, other);
    ExpectError(status, StatusCode::kInternal, "BAD_REPLY");
  }
}

}  // namespace
}  // namespace winnow::coordinator
