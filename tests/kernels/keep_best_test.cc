#include "kernels/cpu/keep_best.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/candidate.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Candidates of these scores, in the order of their positions.
std::vector<Candidate> Candidates(const std::vector<float>& scores) {
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < scores.size(); ++i) {
    candidates.push_back({scores[i], static_cast<uint32_t>(i)});
  }
  return candidates;
}

void ExpectKeepsTheBest(const std::vector<float>& scores, size_t k) {
  const std::vector<Candidate> all = Candidates(scores);
  std::vector<Candidate> best = all;
  std::sort(best.begin(), best.end(), Better);
  std::vector<Candidate> kept = all;
  const float edge = KeepBest(k, &kept, [](const Candidate& candidate) { return candidate.score; });
  ASSERT_GE(kept.size(), k);
  EXPECT_LE(kept.size(), k + k / 8);
  EXPECT_TRUE(std::ranges::is_sorted(kept, {}, &Candidate::position));
  for (const Candidate& candidate : kept) EXPECT_GE(candidate.score, edge);
  std::sort(kept.begin(), kept.end(), Better);
  EXPECT_TRUE(std::equal(kept.begin(), kept.end(), best.begin()));
  for (size_t i = kept.size(); i < best.size(); ++i) EXPECT_LE(best[i].score, edge);
}

TEST(KeepBest, KeepsTheBestOfRandomScores) {
  RandomData random(TestSeed());
  for (const int k : {1, 2, 7, 8, 100, 2048}) {
    for (int round = 0; round < 20; ++round) {
      ExpectKeepsTheBest(random.Floats(k + random.Int(0, 3 * k), -5, 5), k);
    }
  }
}

TEST(KeepBest, OfEqualsKeepsTheFirst) {
  RandomData random(TestSeed());
  for (const int k : {1, 3, 64, 1000}) {
    ExpectKeepsTheBest(std::vector<float>(4 * k, -2.5f), k);
    std::vector<float> scores = random.Floats(4 * k, -3, 3);
    for (float& score : scores) score = std::round(score) + 0.0f;
    ExpectKeepsTheBest(scores, k);
    for (float& score : scores) score = std::max(score, 0.0f);
    ExpectKeepsTheBest(scores, k);
  }
}

TEST(KeepBest, TakesScoresOfAnySize) {
  RandomData random(TestSeed());
  for (const int k : {1, 9, 300}) {
    std::vector<float> scores;
    for (int i = 0; i < 3 * k; ++i) {
      scores.push_back(std::ldexp(random.Int(0, 1) == 0 ? 1.5f : -1.5f, random.Int(-149, 127)));
    }
    scores.front() = -kInfinity;
    scores.back() = kInfinity;
    scores.push_back(std::numeric_limits<float>::max());
    scores.push_back(std::numeric_limits<float>::lowest());
    ExpectKeepsTheBest(scores, k);
    std::ranges::fill(scores, -kInfinity);
    ExpectKeepsTheBest(scores, k);
  }
}

TEST(KeepBest, NumbersScoresInTheirOrder) {
  const std::vector<float> ascending = {-kInfinity, -3e38f, -1, -1e-45f, 0,
                                        1e-45f,     1,      2,  3e38f,   kInfinity};
  for (size_t i = 0; i < ascending.size(); ++i) {
    EXPECT_EQ(ScoreOfOrderedBits(OrderedBits(ascending[i])), ascending[i]);
  }
  for (size_t i = 1; i < ascending.size(); ++i) {
    EXPECT_LT(OrderedBits(ascending[i - 1]), OrderedBits(ascending[i]));
  }
}

}  // namespace
}  // namespace winnow::kernels
