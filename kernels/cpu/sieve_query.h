#ifndef WINNOW_KERNELS_CPU_SIEVE_QUERY_H_
#define WINNOW_KERNELS_CPU_SIEVE_QUERY_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/backend.h"
#include "kernels/cpu/score_error.h"

namespace winnow::kernels {

// Values of fp8, MXFP4 and int8 as integers, for a sieve to multiply: they are rounded to multiples
// of a step, which are their levels. Of e4m3, an exponent e bounds some values by 2^(e + 1); a
// level has the four bits of a value's significand and `extra_bits` more, so that values of 2^(e -
// extra_bits) and above lose nothing. Of MXFP4, a level has the bits of twice an E2M1 value and
// `extra_bits` more, so that blocks of a scale of 2^-extra_bits of the largest and above lose
// nothing.

// The exponent field of a code, that of the subnormals as the one above it.
int E4m3Exponent(uint8_t code);

// At most 15 << extra_bits levels of it are a value of that exponent field.
float E4m3Step(int exponent, int extra_bits);

// A magnitude's level and what it loses, in steps. A larger one than the exponent bounds, as stands
// where a page has no entry, has some.
struct RoundedCode {
  uint8_t level;
  float lost_square;  // 0..1/4
};
RoundedCode RoundCode(int magnitude, int exponent, int extra_bits);

// Of blocks whose scale is the largest of a key or of a head of a query, 2^(scale_code - 127).
float MxFp4Step(int scale_code, int extra_bits);

// Keys and heads with scales beyond these are not sieved, so that products of values are far from
// what fp32 cannot hold. Blocks of zeros may have smaller scales, and so may blocks of a key beside
// one that has not: its levels lose them.
inline constexpr int kLeastSievedScale = 127 - 40;
inline constexpr int kMostSievedScale = 127 + 40;

// What a bound is increased by: far above what sums and products lose below the normal numbers, and
// far below all others.
inline constexpr float kUnderflow = 0x1p-140f;

// A query of levels, prepared for instructions that multiply unsigned by signed bytes. Where its
// parts lie, in bytes after its levels plus an offset, [rows * heads, dim];
// each head has a step of its own.
struct LevelledLayout {
  explicit LevelledLayout(const ScoreQuery& query);

  size_t row_values;  // heads * dim
  size_t weights_at;  // [rows * heads] fp32: the query's times the steps
  size_t errors_at;   // [rows] ScoreErrors of what rounding does to scores of rounded keys
  size_t bytes;       // of all
};

// What instructions take.
struct LevelRange {
  int extra_bits;
  int offset;
  // Of the sums of levels' magnitudes over each 32 dims' 4 i and 4 i + 1, and their 4 i + 2 and
  // 4 i + 3, which add up in one int16: a head of more has a larger step.
  int most_in_sum = std::numeric_limits<int>::max();
};

// Rounds a row of a query of fp8, MXFP4 or int8. Levels are of magnitudes up to 15 << extra_bits,
// or those of int8.
//   prepared   LevelledLayout::bytes
//   workspace  LevelledWorkspaceBytes, of any content
void PrepareLevelledRow(const ScoreQuery& query, int row, const LevelRange& range,
                        std::byte* prepared, std::byte* workspace);
size_t LevelledWorkspaceBytes(const ScoreQuery& query);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SIEVE_QUERY_H_
