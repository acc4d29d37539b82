#include "tests/gpu/expect_selected.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <span>

#include "tests/kernels/score_case.h"

namespace winnow::testing {
namespace {

kernels::ScoreCase CaseOf(const Sample& sample, const SampleQuery& query) {
  const Profile& profile = *sample.profile();
  const std::span<const std::byte> keys = sample.Layer(0, 0, sample.entries()).index_keys;
  return {.format = profile.key_format,
          .dim = profile.index_dim,
          .heads = profile.index_heads,
          .rows = static_cast<int>(query.visible_entries.size()),
          .k = profile.top_k,
          .keys = {keys.begin(), keys.end()},
          .queries = query.index_queries,
          .weights = query.weights,
          .visible = query.visible_entries};
}

}  // namespace

void ExpectSelected(const Sample& sample, const SampleQuery& query, const CandidateRows& rows) {
  const kernels::ScoreCase c = CaseOf(sample, query);
  const CandidateRows all = sample.Selected(query, 0, sample.entries());
  ASSERT_EQ(rows.size(), all.size());
  for (size_t t = 0; t < rows.size(); ++t) {
    ASSERT_EQ(rows[t].size(), std::min<size_t>(sample.profile()->top_k, all[t].size()));
    std::map<uint32_t, float> score_of;
    double largest_bound = 0;
    for (const kernels::Candidate& candidate : all[t]) {
      score_of[candidate.position] = candidate.score;
      largest_bound =
          std::max(largest_bound, ScoreBound(c, candidate.position, static_cast<int>(t)));
    }
    for (size_t i = 0; i < rows[t].size(); ++i) {
      const auto [score, position] = rows[t][i];
      EXPECT_NEAR(score, all[t][i].score, largest_bound);
      EXPECT_NEAR(score, score_of.at(position), ScoreBound(c, position, static_cast<int>(t)));
    }
  }
}

}  // namespace winnow::testing
