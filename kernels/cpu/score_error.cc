#include "kernels/cpu/score_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace winnow::kernels {
namespace {

// For what is lost while the norms themselves are computed in fp32.
constexpr double kNormSlack = 1.01;

double Norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return std::sqrt(sum);
}

// Divides a matrix by its Frobenius norm, which it returns.
double Normalise(std::span<float> matrix) {
  const double norm = Norm(matrix);
  for (float& value : matrix) value = static_cast<float>(value / norm);
  return norm;
}

// sum += the outer product of a vector with itself.
void AddOuterProduct(std::span<const float> vector, float* sum) {
  const size_t n = vector.size();
  for (size_t i = 0; i < n; ++i) {
    const float factor = vector[i];
    for (size_t j = 0; j < n; ++j) sum[i * n + j] += factor * vector[j];
  }
}

// The longest sum of a_j times row j, a_j in 0..1.
double LongestPartialSum(int rows, int cols, std::span<const float> values, float* workspace) {
  double square = 0;  // of the length of the rows' sum
  for (int d = 0; d < cols; ++d) {
    double sum = 0;
    for (int i = 0; i < rows; ++i) sum += values[size_t{1} * i * cols + d];
    square += sum * sum;
  }
  const double norm = SpectralNormBound(rows, cols, values, workspace);
  return (std::sqrt(square) + std::sqrt(rows) * norm) / 2;
}

}  // namespace

size_t SpectralNormFloats(int rows) { return size_t{1} * rows * (2 * rows + 1); }

// With S the symmetric matrix of the rows' dot products, whose largest eigenvalue is the square of
// the norm: that of S^8 is at most S^8's Frobenius norm, and nearly as large. S is squared three
// times, and divided by its norm before each so that nothing over- or underflows.
double SpectralNormBound(int rows, int cols, std::span<const float> values, float* workspace) {
  double longest = 0;
  for (int i = 0; i < rows; ++i) longest = std::max(longest, Norm(values.subspan(i * cols, cols)));
  if (longest == 0 || !std::isfinite(longest)) return longest;
  const size_t size = size_t{1} * rows * rows;
  std::span<float> power(workspace, size), square(workspace + size, size);
  const std::span<float> column(workspace + 2 * size, rows);
  std::ranges::fill(power, 0.0f);
  for (int d = 0; d < cols; ++d) {
    for (int i = 0; i < rows; ++i) {
      column[i] = static_cast<float>(values[size_t{1} * i * cols + d] / longest);
    }
    AddOuterProduct(column, power.data());
  }
  double eigenvalue = Normalise(power);
  for (int root = 2; root <= 8; root *= 2) {
    std::ranges::fill(square, 0.0f);
    for (int i = 0; i < rows; ++i) AddOuterProduct(power.subspan(i * rows, rows), square.data());
    std::swap(power, square);
    eigenvalue *= std::pow(Normalise(power), 1.0 / root);
  }
  return kNormSlack * longest * std::sqrt(eigenvalue);
}

size_t ScoreErrorFloats(int heads, int dim) {
  return size_t{2} * heads * dim + SpectralNormFloats(heads);
}

ScoreError BoundScoreError(const RoundedRow& row, float* workspace) {
  const size_t values = size_t{1} * row.heads * row.dim;
  const std::span<float> weighted(workspace, values), lost(workspace + values, values);
  double lengths = 0;  // sum of |w_j| (|q_j| + |q_j - q'_j|)
  for (int head = 0; head < row.heads; ++head) {
    const size_t first = size_t{1} * head * row.dim;
    for (size_t i = first; i < first + row.dim; ++i) {
      weighted[i] = row.weights[head] * row.queries[i];
      lost[i] = row.weights[head] * (row.queries[i] - row.rounded[i]);
    }
    lengths += Norm(weighted.subspan(first, row.dim)) + Norm(lost.subspan(first, row.dim));
  }
  // Two sums of (dim + heads + 4) roundings each, and as much again for all else that is rounded.
  const double rounding = 4.0 * (row.dim + row.heads + 8) * std::ldexp(lengths, -24);
  const auto bound = [&](std::span<const float> of) {
    const double all = LongestPartialSum(row.heads, row.dim, of, workspace + 2 * values) + rounding;
    return all < std::numeric_limits<float>::max() ? static_cast<float>(kNormSlack * all)
                                                   : std::numeric_limits<float>::infinity();
  };
  return {.per_residual = bound(weighted), .per_norm = bound(lost)};
}

}  // namespace winnow::kernels
