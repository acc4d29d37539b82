#ifndef WINNOW_KERNELS_CPU_SCORE_ERROR_H_
#define WINNOW_KERNELS_CPU_SCORE_ERROR_H_

#include <cstddef>
#include <span>

namespace winnow::kernels {

// How far F'(k') = sum_j w_j max(0, q'_j . k') of a rounded query q' and a rounded key k', computed
// in fp32, can be from F(k) as any variant computes it:
//
//   |F - F'| <= per_residual * |k - k'| + per_norm * |k'|       (Euclidean norms)
//
// max(0, x) - max(0, y) is a(x - y) with some a in 0..1. So F(k) - F(k') = v . (k - k') where v is
// a sum of a_j w_j q_j, and F(k') with q less F(k') with q' is u . k' where u is one of
// a_j w_j (q_j - q'_j). With a_j = (1 + e_j) / 2, |e_j| <= 1, and B the matrix of rows w_j q_j,
//
//   |v| <= (|B^T 1| + sqrt(heads) |B|) / 2                      (|B| the spectral norm)
//
// which for heads that point everywhere is far below the sum of the heads' lengths. What fp32 loses
// in either sum is added: see kernels/README.md.
struct ScoreError {
  float per_residual;
  float per_norm;
};

// One query row and its rounded form.
struct RoundedRow {
  int heads;
  int dim;
  const float* queries;  // [heads, dim] row-major
  const float* rounded;  // [heads, dim] row-major
  const float* weights;  // [heads]
};

// Infinite where there is no finite bound.
//   workspace  [ScoreErrorFloats], of any content
ScoreError BoundScoreError(const RoundedRow& row, float* workspace);
size_t ScoreErrorFloats(int heads, int dim);

// At least the spectral norm of `values` [rows, cols] row-major, and little more; rows is 1..128.
//   workspace  [SpectralNormFloats], of any content
double SpectralNormBound(int rows, int cols, std::span<const float> values, float* workspace);
size_t SpectralNormFloats(int rows, int cols);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SCORE_ERROR_H_
