#include "kernels/cpu/avx2_integer.h"

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/cpu/mxfp4_query.h"
#include "kernels/cpu/next_page.h"

#pragma GCC target("avx2,fma")

namespace winnow::kernels::avx2_integer {
namespace {

#include "kernels/cpu/avx2_e2m1.inc"

// Of doubled E2M1 values, a scale's 32 dims at a time. Their products add up to at most 16 * 12 *
// 12 in an int16.
struct MxFp4Tile {
  static constexpr int kTileHeads = 4;
  const uint32_t* queries;     // [rows * heads, words], each byte kE2m1Offset too large
  const float* query_factors;  // [rows * heads, words / 8]
  const std::byte* keys;       // [words, 16 entries]
  const std::byte* starts;     // [words / 8, 16 entries][2] int16
  const float* factors;        // [words / 8, 16 entries]
  int words;

  template <int kHeads>
  __attribute__((noinline)) void Dots(int first_head, __m256 (&dots)[kHeads * kVectors]) const {
    Unrolled<kHeads * kVectors>([&](auto i) { dots[i] = _mm256_setzero_ps(); });
    const int scales = words / kSummedWords;
    const uint32_t* query = queries + static_cast<size_t>(first_head) * words;
    const float* query_factor = query_factors + static_cast<size_t>(first_head) * scales;
    for (int s = 0; s < scales; ++s) AddScaled<kHeads>(s, query, query_factor + s, dots);
  }

  template <int kHeads>
  void AddScaled(int s, const uint32_t* query, const float* query_factor,
                 __m256 (&dots)[kHeads * kVectors]) const {
    Bytes sums[kHeads * kVectors];
    ByteDots<kHeads>(query + s * kSummedWords, words, keys + s * kSummedBytes,
                     starts + s * kStartBytes, sums);
    Unrolled<kHeads * kVectors>([&](auto i) {
      const int entries = s * kBlockEntries + i % kVectors * 8;
      const __m256 scaled =
          _mm256_mul_ps(_mm256_cvtepi32_ps(sums[i]), _mm256_loadu_ps(factors + entries));
      const __m256 factor = _mm256_set1_ps(query_factor[i / kVectors * (words / kSummedWords)]);
      dots[i] = _mm256_fmadd_ps(scaled, factor, dots[i]);
    });
  }
};

// As CpuVariant::score_page wants them.
void StoreScores(__m256 scores, float* to) {
  // Not by adding 0, which the compiler may fuse with the product before it.
  const __m256 is_zero = _mm256_cmp_ps(scores, _mm256_setzero_ps(), _CMP_EQ_OQ);
  const __m256 is_nan = _mm256_cmp_ps(scores, scores, _CMP_UNORD_Q);
  const __m256 cleared = _mm256_andnot_ps(is_zero, scores);
  _mm256_storeu_ps(to, _mm256_blendv_ps(cleared, _mm256_set1_ps(-__builtin_inff()), is_nan));
}

// Words [dim / 4, 16 entries] of four int8 to words of two int16: of the first and third dim, then
// of the second and fourth.
void WidenBlock(const std::byte* bytes, int dim, std::byte* words) {
  for (int at = 0; at < dim * kBlockEntries; at += 64) {
    for (int v = 0; v < kVectors; ++v) {
      const Bytes four = LoadBytes(bytes + at + 32 * v);
      StoreBytes(_mm256_srai_epi16(_mm256_slli_epi16(four, 8), 8), words + 2 * at + 32 * v);
      StoreBytes(_mm256_srai_epi16(four, 8), words + 2 * at + 64 + 32 * v);
    }
  }
}

void PrepareInt8Row(const ScoreQuery& query, int row, std::byte* prepared) {
  const size_t values = size_t{1} * query.heads * query.dim;
  constexpr int kOrder[] = {0, 2, 1, 3};  // as WidenBlock leaves dims
  for (size_t i = row * values; i < (row + 1) * values; ++i) {
    const auto value = static_cast<int16_t>(
        static_cast<int8_t>(query.queries[i / 4 * 4 + static_cast<size_t>(kOrder[i % 4])]));
    std::memcpy(prepared + i * sizeof value, &value, sizeof value);
  }
}

void ScoreInt8(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* scores) {
  const std::byte* const scales = turn.page + size_t{kPageEntries} * query.dim;
  NextPage next(turn.next, KeyPageBytes(query.format, query.dim), AskingsOf<WordTile>(query));
  const WordTile tile = {.queries = reinterpret_cast<const uint32_t*>(prepared),
                         .keys = scratch,
                         .words = query.dim / 2};
  for (int block = 0; block < kBlocks; ++block) {
    const int first = block * kBlockEntries;
    WidenBlock(turn.page + size_t{1} * first * query.dim, query.dim, scratch);
    SumRows(query, query.weights, tile, &next, [&](int row, int v, __m256 sum) {
      const __m256 scale = _mm256_loadu_ps(reinterpret_cast<const float*>(scales) + first + 8 * v);
      StoreScores(_mm256_mul_ps(sum, scale), scores + row * kPageEntries + first + 8 * v);
    });
  }
}

// 2^(code - 127 - kMxFp4Shift) for UE8M0 codes of a block's entries.
void StoreFactors(const std::byte* codes, float* factors) {
  constexpr float kShift = 1.0f / (1 << kMxFp4Shift);
  for (int v = 0; v < kVectors; ++v) {
    const Bytes code =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + 8 * v)));
    // Code 0 is 2^-127, the fraction bits of which are those of a half.
    const Bytes bits = _mm256_max_epi32(_mm256_slli_epi32(code, 23), _mm256_set1_epi32(1 << 22));
    _mm256_storeu_ps(factors + 8 * v,
                     _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(kShift)));
  }
}

void ScoreMxFp4(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                std::byte* scratch, float* scores) {
  const int scales = query.dim / 32;
  std::byte* const starts = scratch + kBlockEntries * query.dim;
  auto* const factors = reinterpret_cast<float*>(starts + scales * kStartBytes);
  const std::byte* const scale_codes = turn.page + kPageEntries * query.dim / 2;
  NextPage next(turn.next, KeyPageBytes(query.format, query.dim), AskingsOf<MxFp4Tile>(query));
  const MxFp4Tile tile = {
      .queries = reinterpret_cast<const uint32_t*>(prepared),
      .query_factors = reinterpret_cast<const float*>(prepared + MxFp4Layout(query).factors_at),
      .keys = scratch,
      .starts = starts,
      .factors = factors,
      .words = query.dim / 4};
  const __m128i doubled = _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  for (int block = 0; block < kBlocks; ++block) {
    const int first = block * kBlockEntries;
    const std::byte* const pairs = turn.page + first * query.dim / 2;
    for (int d = 0; d < query.dim; d += 8) {
      ForE2m1Words(pairs + 8 * d, doubled,
                   [&](int, Bytes values, int to) { StoreBytes(values, scratch + 16 * d + to); });
    }
    for (int s = 0; s < scales; ++s) {
      StoreStarts(scratch + s * kSummedBytes, kE2m1Offset, starts + s * kStartBytes);
      StoreFactors(scale_codes + s * kPageEntries + first, factors + s * kBlockEntries);
    }
    SumRows(query, query.weights, tile, &next, [&](int row, int v, __m256 sum) {
      StoreScores(sum, scores + row * kPageEntries + first + 8 * v);
    });
  }
}

}  // namespace

bool Suits(KeyFormat format) { return format == KeyFormat::kInt8 || format == KeyFormat::kMxFp4; }

size_t PreparedBytes(const ScoreQuery& query) {
  if (query.format == KeyFormat::kMxFp4) return MxFp4Layout(query).bytes;
  return size_t{1} * query.rows * query.heads * query.dim * sizeof(int16_t);
}

void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared) {
  if (query.format == KeyFormat::kMxFp4) return PrepareMxFp4Row(query, row, prepared);
  PrepareInt8Row(query, row, prepared);
}

size_t ScoreScratchBytes(const ScoreQuery& query) {
  const size_t entries = kBlockEntries;
  if (query.format == KeyFormat::kMxFp4) {
    return entries * (query.dim + query.dim / 32 * sizeof(float)) + query.dim / 32 * kStartBytes;
  }
  return entries * query.dim * sizeof(int16_t);
}

void ScorePage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* scores) {
  if (query.format == KeyFormat::kMxFp4) {
    return ScoreMxFp4(query, prepared, turn, scratch, scores);
  }
  ScoreInt8(query, prepared, turn, scratch, scores);
}

}  // namespace winnow::kernels::avx2_integer
