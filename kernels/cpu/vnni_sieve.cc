#include "kernels/cpu/vnni_sieve.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/cpu/next_page.h"
#include "kernels/cpu/score_error.h"
#include "kernels/cpu/sieve_query.h"
#include "kernels/reference/formats.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,fma,f16c")

namespace winnow::kernels {
namespace {

#include "kernels/cpu/avx512_tiles.inc"

constexpr int kQueryOffset = 128;
constexpr int kExtraBits = 3;  // of a level, so that it fits a byte

// The square of what a code loses, in steps, is at most 1/4, and kept in 255ths of that.
constexpr float kLossUnit = 1.0f / 1020;

// Of magnitudes, for each exponent of the largest.
struct Levels {
  Levels() {
    for (int exponent = 1; exponent < 16; ++exponent) {
      for (int code = 0; code < 128; ++code) {
        // The codes of NaN, which may stand where a page has no entry yet, have any.
        const float value = DecodeE4m3(static_cast<uint8_t>(std::min(code, 0x7e)));
        const float steps = std::min(value / E4m3Step(exponent, kExtraBits), 127.0f);
        const float level = std::nearbyint(steps);
        levels[exponent][code] = static_cast<uint8_t>(level);
        losses[exponent][code] =
            static_cast<uint8_t>(std::ceil((steps - level) * (steps - level) / kLossUnit));
      }
    }
  }

  alignas(64) std::array<std::array<uint8_t, 128>, 16> levels = {};
  alignas(64) std::array<std::array<uint8_t, 128>, 16> losses = {};
};

const Levels& TheLevels() {
  static const Levels levels;
  return levels;
}

bool RunsHere() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

bool Suits(const ScoreQuery& query) { return query.format == KeyFormat::kFp8E4M3; }

size_t PreparedBytes(const ScoreQuery& query) { return LevelledLayout(query).bytes; }

void Prepare(const ScoreQuery& query, std::byte* prepared) {
  PrepareLevelled(query, kExtraBits, kQueryOffset, prepared);
}

// Scratch: levels [4 vectors, words, 16 entries], then sums' starts [64] int32.
size_t ScratchBytes(const ScoreQuery& query) {
  return kPageEntries * (size_t{1} * query.dim + sizeof(int32_t));
}

int LargestExponent(const std::byte* codes, size_t count) {
  constexpr size_t kRunBytes = 512;  // 16 entries of 32 dims, which all shapes are multiples of
  constexpr uint8_t kHighest = 0x78;
  Bytes largest = _mm512_setzero_si512();
  // Scaled keys reach the highest exponent soon.
  for (size_t at = 0; at < count; at += kRunBytes) {
    for (size_t i = at; i < at + kRunBytes; i += 64) {
      largest =
          _mm512_max_epu8(largest, _mm512_and_si512(LoadBytes(codes + i), _mm512_set1_epi8(0x7f)));
    }
    if (_mm512_cmpge_epu8_mask(largest, _mm512_set1_epi8(kHighest)) != 0) {
      return E4m3Exponent(kHighest);
    }
  }
  alignas(64) std::array<uint8_t, 64> lanes;
  StoreBytes(largest, lanes.data());
  return E4m3Exponent(*std::ranges::max_element(lanes));
}

inline __m512 RootOf(Bytes sums, float unit) {
  constexpr __mmask16 kAll = 0xffff;
  return _mm512_maskz_sqrt_ps(
      kAll, _mm512_mul_ps(_mm512_maskz_cvtepi32_ps(kAll, sums), _mm512_set1_ps(unit)));
}

// Of 16 entries, in steps.
struct Rounded {
  Bytes starts;
  __m512 norms;      // |k'|
  __m512 residuals;  // |k - k'|
};

// Pairs [dim / 2][16 entries][2 dims] of codes to words [dim / 4][16 entries][4 dims] of levels.
Rounded RoundKeys(const std::byte* pairs, int dim, int exponent, std::byte* words) {
  const uint8_t* const levels = TheLevels().levels[exponent].data();
  const uint8_t* const losses = TheLevels().losses[exponent].data();
  const Bytes level_table[] = {LoadBytes(levels), LoadBytes(levels + 64)};
  const Bytes loss_table[] = {LoadBytes(losses), LoadBytes(losses + 64)};
  // An entry's two pairs side by side: those of the vector's halves.
  alignas(64) std::array<uint16_t, 32> order;
  for (int i = 0; i < 32; ++i) order[i] = static_cast<uint16_t>(i / 2 + i % 2 * 16);
  const Bytes interleave = LoadBytes(order.data());
  const Bytes ones = _mm512_set1_epi8(1);
  const Bytes offsets = _mm512_set1_epi8(static_cast<char>(kQueryOffset));
  Bytes squares = _mm512_setzero_si512(), lost = squares, sums = squares;
  for (int at = 0; at < dim * 16; at += 64) {
    const Bytes codes = _mm512_permutexvar_epi16(interleave, LoadBytes(pairs + at));
    const Bytes magnitude = _mm512_permutex2var_epi8(level_table[0], codes, level_table[1]);
    const Bytes loss = _mm512_permutex2var_epi8(loss_table[0], codes, loss_table[1]);
    const Bytes level = _mm512_mask_sub_epi8(magnitude, _mm512_movepi8_mask(codes),
                                             _mm512_setzero_si512(), magnitude);
    StoreBytes(level, words + at);
    squares = AddDotBytes(squares, magnitude, magnitude);
    lost = AddDotBytes(lost, loss, ones);
    sums = AddDotBytes(sums, offsets, level);
  }
  return {.starts = _mm512_sub_epi32(_mm512_setzero_si512(), sums),
          .norms = RootOf(squares, 1),
          .residuals = RootOf(lost, kLossUnit)};
}

// scale * (sum +- error), the upper of both; infinite where the sum says nothing.
inline __m512 UpperBound(__m512 sum, __m512 error, __m512 scale) {
  const __m512 score = _mm512_mul_ps(sum, scale);
  const __m512 slack = _mm512_fmadd_ps(_mm512_add_ps(error, _mm512_set1_ps(kUnderflow)),
                                       _mm512_abs_ps(scale), _mm512_set1_ps(kUnderflow));
  constexpr int kNotFinite = 0x99;
  return _mm512_mask_blend_ps(_mm512_fpclass_ps_mask(score, kNotFinite),
                              _mm512_add_ps(score, slack), _mm512_set1_ps(__builtin_inff()));
}

void BoundPage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* bounds) {
  const std::byte* const page = turn.page;
  const LevelledLayout layout(query);
  const auto* const errors = reinterpret_cast<const ScoreError*>(prepared + layout.errors_at);
  const std::byte* const scales = page + size_t{kPageEntries} * query.dim;
  auto* const starts = reinterpret_cast<int32_t*>(scales - page + scratch);
  const int exponent = LargestExponent(page, size_t{kPageEntries} * query.dim);
  const __m512 step = _mm512_set1_ps(E4m3Step(exponent, kExtraBits));
  __m512 norms[kEntryVectors], residuals[kEntryVectors];
  for (int v = 0; v < kEntryVectors; ++v) {
    const Rounded keys =
        RoundKeys(page + v * 16 * query.dim, query.dim, exponent, scratch + v * 16 * query.dim);
    StoreBytes(keys.starts, starts + 16 * v);
    norms[v] = _mm512_mul_ps(keys.norms, step);
    residuals[v] = _mm512_mul_ps(keys.residuals, step);
  }
  const Int8Tile tile = {.queries = reinterpret_cast<const uint32_t*>(prepared),
                         .keys = scratch,
                         .starts = starts,
                         .words = query.dim / 4};
  SumRows(query.rows, query.heads, reinterpret_cast<const float*>(prepared + layout.weights_at),
          tile, turn.next, KeyPageBytes(query.format, query.dim), [&](int row, int v, __m512 sum) {
            const __m512 error =
                _mm512_fmadd_ps(_mm512_set1_ps(errors[row].per_residual), residuals[v],
                                _mm512_mul_ps(_mm512_set1_ps(errors[row].per_norm), norms[v]));
            const __m512 bound =
                UpperBound(_mm512_mul_ps(sum, step), error, _mm512_loadu_ps(scales + 64 * v));
            _mm512_storeu_ps(bounds + row * kPageEntries + 16 * v, bound);
          });
}

}  // namespace

const Sieve& VnniSieve() {
  static constexpr Sieve sieve = {.runs_here = RunsHere,
                                  .suits = Suits,
                                  .prepared_bytes = PreparedBytes,
                                  .prepare = Prepare,
                                  .scratch_bytes = ScratchBytes,
                                  .bound_page = BoundPage};
  return sieve;
}

}  // namespace winnow::kernels
