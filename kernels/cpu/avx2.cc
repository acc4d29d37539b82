#include "kernels/cpu/avx2.h"

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "kernels/cpu/avx2_integer.h"
#include "kernels/cpu/avx2_sieve.h"
#include "kernels/cpu/mxfp4_query.h"
#include "kernels/cpu/prepare.h"
#include "kernels/cpu/rows_ahead.h"

#pragma GCC target("avx2,fma,f16c")

namespace winnow::kernels {
namespace {

constexpr int kLanes = 8;
constexpr int kScoreHeads = 4;
constexpr int kScoreVectors = 2;
constexpr int kLogitRows = 4;
constexpr int kLogitVectors = 2;
constexpr int kOutputHeads = 4;
constexpr int kOutputVectors = 2;

// e4m3 codes in the low bytes of 16-bit lanes. As the bits of a half they are the value times 2^-8,
// subnormals included, so the conversion is exact.
inline __m256 Fp8ToFloats(__m128i codes) {
  const __m128i sign = _mm_slli_epi16(_mm_and_si128(codes, _mm_set1_epi16(0x80)), 8);
  const __m128i magnitude = _mm_slli_epi16(_mm_and_si128(codes, _mm_set1_epi16(0x7f)), 7);
  return _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(sign, magnitude)), _mm256_set1_ps(256.0f));
}

void DecodeFp8Pairs(const uint8_t* pairs, float* even, float* odd) {
  for (int half = 0; half < 2; ++half) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pairs) + half);
    _mm256_storeu_ps(even + 8 * half, Fp8ToFloats(_mm_and_si128(codes, _mm_set1_epi16(0xff))));
    _mm256_storeu_ps(odd + 8 * half, Fp8ToFloats(_mm_srli_epi16(codes, 8)));
  }
}

void DecodeFp8(const uint8_t* codes, int count, float* values) {
  for (int i = 0; i < count; i += 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i));
    _mm256_storeu_ps(values + i, Fp8ToFloats(_mm_cvtepu8_epi16(bytes)));
  }
}

#include "kernels/cpu/vector_kernels.inc"

// Prepared: integers where there are any for the format, then floats but of int8, as MXFP4 queries
// with large scales are multiplied in fp32.
size_t FloatsAt(const ScoreQuery& query) {
  return avx2_integer::Suits(query.format) ? avx2_integer::PreparedBytes(query) : 0;
}

size_t PreparedBytes(const ScoreQuery& query) {
  return FloatsAt(query) + (query.format == KeyFormat::kInt8 ? 0 : FloatQueryBytes(query));
}

void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared) {
  if (avx2_integer::Suits(query.format)) avx2_integer::PrepareRow(query, row, prepared);
  if (query.format == KeyFormat::kInt8) return;
  std::byte* const floats = prepared + FloatsAt(query);
  if (query.format == KeyFormat::kMxFp4 && !HasLargeScales(query, prepared, row)) {
    // Multiplied beside rows that have large scales, for scores that are not kept.
    const size_t row_bytes = FloatQueryBytes(query) / query.rows;
    std::memset(floats + row * row_bytes, 0, row_bytes);
    return;
  }
  PrepareFloatQueryRow(query, row, floats);
}

size_t ScratchBytes(const ScoreQuery& query) {
  return std::max(ScoreScratchBytes(query), avx2_integer::ScoreScratchBytes(query));
}

void ScoreAnyPage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                  std::byte* scratch, float* scores) {
  const auto by_integers = [&](float* to) {
    avx2_integer::ScorePage(query, prepared, turn, scratch, to);
  };
  const auto by_floats = [&](float* to) {
    ScorePage(query, prepared + FloatsAt(query), turn, scratch, to);
  };
  switch (query.format) {
    case KeyFormat::kInt8:
      return by_integers(scores);
    case KeyFormat::kMxFp4:
      return ScoreByScales(query, prepared, scores, by_integers, by_floats);
    case KeyFormat::kFp8E4M3:
    case KeyFormat::kBf16:
      return by_floats(scores);
  }
}

bool RunsHere() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}

}  // namespace

const CpuVariant& Avx2Variant() {
  static const CpuVariant variant = {
      .name = "avx2",
      .runs_here = RunsHere,
      .prepared_bytes = PreparedBytes,
      .prepare_row = PrepareRow,
      .enter = nullptr,
      .leave = nullptr,
      .score_scratch_bytes = ScratchBytes,
      .score_page = ScoreAnyPage,
      .sieve = &Avx2Sieve(),
      .attend_scratch_bytes = AttendScratchBytes,
      .attend_part_bytes = PartBytes,
      .attend = Attend,
      .finish_attend = FinishHeads,
  };
  return variant;
}

}  // namespace winnow::kernels
