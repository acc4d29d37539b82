#include "kernels/cpu/score_error.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace winnow::kernels {
namespace {

// For what is lost while the norms themselves are computed in fp32.
constexpr double kNormSlack = 1.01;

// In four sums, none of which waits for another.
double Norm(std::span<const float> values) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= values.size(); i += 4) {
    for (size_t k = 0; k < 4; ++k) sums[k] += double{values[i + k]} * values[i + k];
  }
  for (; i < values.size(); ++i) sums[0] += double{values[i]} * values[i];
  return std::sqrt(sums[0] + sums[1] + sums[2] + sums[3]);
}

// Divides a matrix by its Frobenius norm, which it returns.
double Normalise(std::span<float> matrix) {
  const double norm = Norm(matrix);
  const double inverse = 1 / norm;
  for (float& value : matrix) value = static_cast<float>(value * inverse);
  return norm;
}

// Four floats, of which compilers that would keep an array in memory keep many in registers.
using Floats = float __attribute__((vector_size(16)));
Floats Load(const float* from) {
  Floats values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

// The product of columns^T [n, depth] and columns [depth, n], which is symmetric: of sums that stay
// in registers, those on and right of the diagonal. n is a multiple of kGramColumns.
constexpr int kGramRows = 4, kGramColumns = 8;
void Gram(const float* columns, int depth, int n, float* product) {
  for (int i = 0; i < n; i += kGramRows) {
    for (int j = i / kGramColumns * kGramColumns; j < n; j += kGramColumns) {
      Floats low[kGramRows] = {}, high[kGramRows] = {};
      const float* column = columns;
      for (int k = 0; k < depth; ++k, column += n) {
        const Floats first = Load(column + j), second = Load(column + j + 4);
        for (int a = 0; a < kGramRows; ++a) {
          low[a] += column[i + a] * first;
          high[a] += column[i + a] * second;
        }
      }
      for (int a = 0; a < kGramRows; ++a) {
        for (int b = 0; b < kGramColumns; ++b) {
          const float sum = b < 4 ? low[a][b] : high[a][b - 4];
          product[size_t{1} * (i + a) * n + j + b] = sum;
          product[size_t{1} * (j + b) * n + i + a] = sum;
        }
      }
    }
  }
}

// Rows as Gram has them, the further ones zero.
int PaddedRows(int rows) { return (rows + kGramColumns - 1) / kGramColumns * kGramColumns; }

// The longest sum of a_j times row j, a_j in 0..1.
double LongestPartialSum(int rows, int cols, std::span<const float> values, float* workspace) {
  double square = 0;        // of the length of the rows' sum
  constexpr int kDims = 8;  // whose sums do not wait for each other
  for (int first = 0; first < cols; first += kDims) {
    double sums[kDims] = {};
    const int dims = std::min(kDims, cols - first);
    for (int i = 0; i < rows; ++i) {
      for (int d = 0; d < dims; ++d) sums[d] += values[size_t{1} * i * cols + first + d];
    }
    for (const double sum : sums) square += sum * sum;
  }
  const double norm = SpectralNormBound(rows, cols, values, workspace);
  return (std::sqrt(square) + std::sqrt(rows) * norm) / 2;
}

}  // namespace

size_t SpectralNormFloats(int rows, int cols) {
  const int padded = PaddedRows(rows);
  return size_t{1} * padded * (2 * padded + cols);
}

// With S the symmetric matrix of the rows' dot products, whose largest eigenvalue is the square of
// the norm: that of S^8 is at most S^8's Frobenius norm, and nearly as large. S is squared three
// times, and divided by its norm before each so that nothing over- or underflows.
double SpectralNormBound(int rows, int cols, std::span<const float> values, float* workspace) {
  double longest = 0;
  for (int i = 0; i < rows; ++i) longest = std::max(longest, Norm(values.subspan(i * cols, cols)));
  if (longest == 0 || !std::isfinite(longest)) return longest;
  const int padded = PaddedRows(rows);
  const size_t size = size_t{1} * padded * padded;
  std::span<float> power(workspace, size), square(workspace + size, size);
  const std::span<float> columns(workspace + 2 * size, size_t{1} * cols * padded);
  std::ranges::fill(columns, 0.0f);
  const double inverse = 1 / longest;
  for (int i = 0; i < rows; ++i) {
    for (int d = 0; d < cols; ++d) {
      columns[size_t{1} * d * padded + i] =
          static_cast<float>(values[size_t{1} * i * cols + d] * inverse);
    }
  }
  Gram(columns.data(), cols, padded, power.data());
  double eigenvalue = Normalise(power);
  for (int root = 2; root <= 8; root *= 2) {
    Gram(power.data(), padded, padded, square.data());
    std::swap(power, square);
    eigenvalue *= std::pow(Normalise(power), 1.0 / root);
  }
  return kNormSlack * longest * std::sqrt(eigenvalue);
}

size_t ScoreErrorFloats(int heads, int dim) {
  return size_t{2} * heads * dim + SpectralNormFloats(heads, dim);
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
