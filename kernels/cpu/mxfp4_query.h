#ifndef WINNOW_KERNELS_CPU_MXFP4_QUERY_H_
#define WINNOW_KERNELS_CPU_MXFP4_QUERY_H_

#include <algorithm>
#include <array>
#include <cstddef>

#include "kernels/backend.h"

namespace winnow::kernels {

// An MXFP4 query for instructions that multiply unsigned by signed bytes: E2M1 values doubled,
// which are integers of -12..12, and the scales of blocks of 32 dims apart from them.

// By how much the doubled values of a query are too large, so that none is negative.
inline constexpr int kE2m1Offset = 16;

// Powers of two that a key's scale gives to the query's, so that neither overflows: a factor of a
// key is 2^(code - 127 - kMxFp4Shift).
inline constexpr int kMxFp4Shift = 12;

// Where the parts of a prepared query lie, in bytes after its doubled values + kE2m1Offset,
// [rows * heads, dim].
struct MxFp4Layout {
  explicit MxFp4Layout(const ScoreQuery& query);

  size_t exponents_at;     // [rows * heads, dim / 32] fp32
  size_t factors_at;       // [rows * heads, dim / 32] fp32
  size_t large_scales_at;  // [rows] uint32: see HasLargeScales
  size_t bytes;            // of all
};

//   prepared  MxFp4Layout::bytes
void PrepareMxFp4Row(const ScoreQuery& query, int row, std::byte* prepared);

// Whether a factor of a row of the query is not finite, so that its exponents must be used.
bool HasLargeScales(const ScoreQuery& query, const std::byte* prepared, int row);

// Of so many rows.
int CountLargeScales(const ScoreQuery& query, const std::byte* prepared);

// Scores a page by `plain`, but rows that have large scales by `large`: what becomes of a row must
// not depend on others of its call. Both take scores [rows, 64] to write.
template <typename PlainFn, typename LargeFn>
void ScoreByScales(const ScoreQuery& query, const std::byte* prepared, float* scores, PlainFn plain,
                   LargeFn large) {
  const int large_rows = CountLargeScales(query, prepared);
  if (large_rows == 0) return plain(scores);
  if (large_rows == query.rows) return large(scores);
  plain(scores);
  alignas(64) std::array<float, size_t{kMaxQueryRows} * kPageEntries> others;
  large(others.data());
  for (int row = 0; row < query.rows; ++row) {
    if (!HasLargeScales(query, prepared, row)) continue;
    std::copy_n(&others[size_t{1} * row * kPageEntries], kPageEntries, scores + row * kPageEntries);
  }
}

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_MXFP4_QUERY_H_
