#include "kernels/cpu/score_error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/kernels/random_data.h"

namespace winnow::kernels {
namespace {

double Bound(int rows, int cols, const std::vector<float>& values) {
  std::vector<float> workspace(SpectralNormFloats(rows, cols), -1);
  return SpectralNormBound(rows, cols, values, workspace.data());
}

// The norm by power iteration in double, which approaches it from below.
double NormBelow(int rows, int cols, const std::vector<float>& values) {
  std::vector<double> x(cols, 1);
  double norm = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<double> next(cols, 0);
    for (int i = 0; i < rows; ++i) {
      double dot = 0;
      for (int d = 0; d < cols; ++d) dot += values[i * cols + d] * x[d];
      for (int d = 0; d < cols; ++d) next[d] += values[i * cols + d] * dot;
    }
    double length = 0, before = 0;
    for (int d = 0; d < cols; ++d) length += next[d] * next[d], before += x[d] * x[d];
    norm = std::sqrt(std::sqrt(length / before));
    for (int d = 0; d < cols; ++d) x[d] = next[d] / std::sqrt(length);
  }
  return norm;
}

TEST(SpectralNorm, IsBoundedFromAboveAndClosely) {
  RandomData random(TestSeed());
  for (int round = 0; round < 12; ++round) {
    const int rows = random.Int(1, 128), cols = random.Int(1, 256);
    const std::vector<float> values = random.Floats(rows * cols, -1, 1);
    const double norm = NormBelow(rows, cols, values), bound = Bound(rows, cols, values);
    EXPECT_GE(bound, norm) << rows << " x " << cols;
    EXPECT_LE(bound, 1.2 * norm) << rows << " x " << cols;
  }
}

TEST(SpectralNorm, OfOneDirectionIsItsLength) {
  // Rows 3, 4, 12 times (2, 0, 1).
  const double bound = Bound(3, 3, {6, 0, 3, 8, 0, 4, 24, 0, 12});
  EXPECT_GE(bound, 13 * std::sqrt(5.0));
  EXPECT_LE(bound, 13 * std::sqrt(5.0) * 1.02);
}

TEST(SpectralNorm, HasTheScaleOfItsMatrix) {
  RandomData random(TestSeed());
  const std::vector<float> values = random.Floats(20 * 30, -1, 1);
  const double bound = Bound(20, 30, values);
  for (const float scale : {1e-30f, 1e-18f, 1e18f, 1e30f}) {
    std::vector<float> scaled = values;
    for (float& value : scaled) value *= scale;
    EXPECT_NEAR(Bound(20, 30, scaled) / bound / scale, 1, 1e-3);
  }
  EXPECT_EQ(Bound(4, 8, std::vector<float>(32)), 0);
}

// sum_j w_j max(0, q_j . k)
double Score(const RoundedRow& row, const float* queries, const std::vector<float>& key) {
  double score = 0;
  for (int head = 0; head < row.heads; ++head) {
    double dot = 0;
    for (int d = 0; d < row.dim; ++d) dot += double{queries[head * row.dim + d]} * key[d];
    score += row.weights[head] * std::max(0.0, dot);
  }
  return score;
}

double Length(const std::vector<float>& values) {
  double square = 0;
  for (const float value : values) square += double{value} * value;
  return std::sqrt(square);
}

std::vector<float> RoundedTo(float step, const std::vector<float>& values) {
  std::vector<float> rounded;
  for (const float value : values) rounded.push_back(std::nearbyint(value / step) * step);
  return rounded;
}

TEST(ScoreError, BoundsWhatRoundingDoesToScores) {
  RandomData random(TestSeed());
  for (int round = 0; round < 40; ++round) {
    const int heads = random.Int(1, 64), dim = 32 * random.Int(1, 4);
    const std::vector<float> queries = random.Floats(heads * dim, -1, 1);
    const std::vector<float> weights = random.Floats(heads, round % 2 == 0 ? -1.0f : 0.0f, 1);
    const std::vector<float> rounded = RoundedTo(random.Float(0.01f, 0.5f), queries);
    const RoundedRow row = {heads, dim, queries.data(), rounded.data(), weights.data()};
    std::vector<float> workspace(ScoreErrorFloats(heads, dim), -1);
    const ScoreError error = BoundScoreError(row, workspace.data());
    for (int i = 0; i < 20; ++i) {
      // Some keys lie along a head, where errors add up.
      std::vector<float> key = random.Floats(dim, -1, 1);
      if (i % 2 == 0) key.assign(queries.begin(), queries.begin() + dim);
      const std::vector<float> near = RoundedTo(random.Float(0.01f, 0.5f), key);
      std::vector<float> residual;
      for (int d = 0; d < dim; ++d) residual.push_back(key[d] - near[d]);
      const double bound = error.per_residual * Length(residual) + error.per_norm * Length(near);
      EXPECT_LE(std::abs(Score(row, queries.data(), key) - Score(row, rounded.data(), near)),
                bound);
    }
  }
}

TEST(ScoreError, IsMetByAKeyAlongTheOnlyHead) {
  const std::vector<float> query = {3, 4}, weight = {2};
  const RoundedRow row = {1, 2, query.data(), query.data(), weight.data()};
  std::vector<float> workspace(ScoreErrorFloats(1, 2));
  const ScoreError error = BoundScoreError(row, workspace.data());
  EXPECT_GE(error.per_residual, 10.0f);
  EXPECT_LE(error.per_residual, 10.0f * 1.03f);
  EXPECT_GE(error.per_norm, 0.0f);
  EXPECT_LE(error.per_norm, 1e-4f);
}

TEST(ScoreError, IsTheSumOfTheLengthsOfHeadsThatAreAlike) {
  std::vector<float> queries, weights(50, 2.0f);
  for (int head = 0; head < 50; ++head) queries.insert(queries.end(), {3, 4});
  std::vector<float> workspace(ScoreErrorFloats(50, 2));
  const RoundedRow alike = {50, 2, queries.data(), queries.data(), weights.data()};
  const float all = BoundScoreError(alike, workspace.data()).per_residual;
  EXPECT_GE(all, 500.0f);
  EXPECT_LE(all, 500.0f * 1.03f);
  // Of heads that point either way, a key has half on its side.
  for (size_t i = 0; i < 50; ++i) queries[i] = -queries[i];
  const RoundedRow opposite = {50, 2, queries.data(), queries.data(), weights.data()};
  const float half = BoundScoreError(opposite, workspace.data()).per_residual;
  EXPECT_GE(half, 250.0f);
  EXPECT_LE(half, 250.0f * 1.06f);
}

TEST(ScoreError, IsFarBelowTheSumOfTheHeadsLengths) {
  RandomData random(TestSeed());
  const std::vector<float> queries = random.Floats(64 * 128, -1, 1), weights(64, 1.0f);
  const RoundedRow row = {64, 128, queries.data(), queries.data(), weights.data()};
  std::vector<float> workspace(ScoreErrorFloats(64, 128));
  EXPECT_LE(BoundScoreError(row, workspace.data()).per_residual, 64 * 6.54f / 4);
}

TEST(ScoreError, IsInfiniteWhereItWouldOverflow) {
  const std::vector<float> query(32, 1e30f), weight = {1e30f};
  const RoundedRow row = {1, 32, query.data(), query.data(), weight.data()};
  std::vector<float> workspace(ScoreErrorFloats(1, 32));
  EXPECT_EQ(BoundScoreError(row, workspace.data()).per_residual,
            std::numeric_limits<float>::infinity());
}

}  // namespace
}  // namespace winnow::kernels
