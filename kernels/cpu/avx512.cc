#include "kernels/cpu/avx512.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/avx2_sieve.h"
#include "kernels/cpu/prepare.h"
#include "kernels/cpu/rows_ahead.h"
#include "kernels/cpu/vnni_sieve.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c")

namespace winnow::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int kScoreHeads = 4;
constexpr int kScoreVectors = 4;
constexpr int kLogitRows = 8;
constexpr int kLogitVectors = 2;
constexpr int kOutputHeads = 8;
constexpr int kOutputVectors = 2;

// e4m3 codes in the low bytes of 16-bit lanes. As the bits of a half they are the value times 2^-8,
// subnormals included, so the conversion is exact.
inline __m512 Fp8ToFloats(__m256i codes) {
  const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(codes, _mm256_set1_epi16(0x80)), 8);
  const __m256i magnitude = _mm256_slli_epi16(_mm256_and_si256(codes, _mm256_set1_epi16(0x7f)), 7);
  return _mm512_mul_ps(_mm512_maskz_cvtph_ps(0xffff, _mm256_or_si256(sign, magnitude)),
                       _mm512_set1_ps(256.0f));
}

void DecodeFp8Pairs(const uint8_t* pairs, float* even, float* odd) {
  const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs));
  _mm512_storeu_ps(even, Fp8ToFloats(_mm256_and_si256(codes, _mm256_set1_epi16(0xff))));
  _mm512_storeu_ps(odd, Fp8ToFloats(_mm256_srli_epi16(codes, 8)));
}

void DecodeFp8(const uint8_t* codes, int count, float* values) {
  for (int i = 0; i < count; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i));
    _mm512_storeu_ps(values + i, Fp8ToFloats(_mm256_cvtepu8_epi16(bytes)));
  }
}

#include "kernels/cpu/vector_kernels.inc"

bool RunsHere() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

}  // namespace

const CpuVariant& Avx512Variant() {
  static const CpuVariant variant = {
      .name = "avx512",
      .runs_here = RunsHere,
      .prepared_bytes = FloatQueryBytes,
      .prepare_row = PrepareFloatQueryRow,
      .enter = nullptr,
      .leave = nullptr,
      .score_scratch_bytes = ScoreScratchBytes,
      .score_page = ScorePage,
      .sieve = VnniSieve().runs_here() ? &VnniSieve() : &Avx2Sieve(),
      .attend_scratch_bytes = AttendScratchBytes,
      .attend_part_bytes = PartBytes,
      .attend = Attend,
      .finish_attend = FinishHeads,
  };
  return variant;
}

}  // namespace winnow::kernels
