#ifndef WINNOW_KERNELS_CPU_MXFP4_QUERY_H_
#define WINNOW_KERNELS_CPU_MXFP4_QUERY_H_

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
  size_t large_scales_at;  // uint32: see HasLargeScales
  size_t bytes;            // of all
};

//   prepared  MxFp4Layout::bytes
void PrepareMxFp4(const ScoreQuery& query, std::byte* prepared);

// Whether a factor of the query is not finite, so that its exponents must be used.
bool HasLargeScales(const ScoreQuery& query, const std::byte* prepared);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_MXFP4_QUERY_H_
