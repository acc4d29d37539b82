#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/cpu/avx512_bf16.h"
#include "kernels/cpu/mxfp4_query.h"
#include "kernels/cpu/next_page.h"
#include "kernels/reference/formats.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,avx512vnni,fma,f16c")

namespace winnow::kernels::avx512_bf16 {
namespace {

#include "kernels/cpu/avx512_tiles.inc"

// In bf16 pairs; for fp8 (decoded into scratch) and bf16 (in place).
struct Bf16Tile {
  static constexpr int kVectors = 4;
  const uint32_t* queries;  // [rows * heads, words]
  const std::byte* keys;    // [4 vectors, words, 16 entries]
  int words;

  template <int kHeads>
  void Dots(int first_head, int, __m512 (&dots)[kHeads * kVectors]) const {
    SetZero(dots);
    const uint32_t* query = queries + static_cast<size_t>(first_head) * words;
    for (int w = 0; w < words; ++w) {
      Bytes key[kVectors], broadcast[kHeads];
      Unrolled<kVectors>([&](auto v) { key[v] = LoadBytes(keys + (v * words + w) * 64); });
      Unrolled<kHeads>([&](auto h) { broadcast[h] = Broadcast(query + h * words + w); });
      Unrolled<kHeads * kVectors>([&](auto i) {
        dots[i] = AddDotBf16(dots[i], key[i % kVectors], broadcast[i / kVectors]);
      });
    }
  }
};

// Of MXFP4: blocks of 32 dims as integers, scaled by powers of two as they are added. Scales are
// factors; a query with scales so large that a factor would not fit has exponents instead.
template <bool kExponents>
struct MxFp4Tile {
  static constexpr int kVectors = 2;
  static constexpr int kBlockWords = 8;
  const uint32_t* queries;    // [rows * heads, words]
  const float* query_scales;  // [rows * heads, words / 8]
  const std::byte* keys;      // [4 vectors, words, 16 entries]
  const int32_t* starts;      // [words / 8, 64 entries]
  const float* scales;        // [words / 8, 64 entries]
  int words;

  template <int kHeads>
  void Dots(int first_head, int first_vector, __m512 (&dots)[kHeads * kVectors]) const {
    SetZero(dots);
    const int blocks = words / kBlockWords;
    for (int block = 0; block < blocks; ++block) {
      AddBlock<kHeads>(block, queries + static_cast<size_t>(first_head) * words,
                       query_scales + static_cast<size_t>(first_head) * blocks + block,
                       first_vector, dots);
    }
  }

  template <int kHeads>
  void AddBlock(int block, const uint32_t* query, const float* query_scale, int first_vector,
                __m512 (&dots)[kHeads * kVectors]) const {
    const int entries = block * kPageEntries + first_vector * 16;
    Bytes sums[kHeads * kVectors];
    Unrolled<kHeads * kVectors>(
        [&](auto i) { sums[i] = LoadBytes(starts + entries + i % kVectors * 16); });
    for (int w = block * kBlockWords; w < (block + 1) * kBlockWords; ++w) {
      Bytes key[kVectors], broadcast[kHeads];
      Unrolled<kVectors>(
          [&](auto v) { key[v] = LoadBytes(keys + ((first_vector + v) * words + w) * 64); });
      Unrolled<kHeads>([&](auto h) { broadcast[h] = Broadcast(query + h * words + w); });
      Unrolled<kHeads * kVectors>([&](auto i) {
        sums[i] = AddDotBytes(sums[i], broadcast[i / kVectors], key[i % kVectors]);
      });
    }
    const int blocks = words / kBlockWords;
    Unrolled<kHeads * kVectors>([&](auto i) {
      const __m512 sum = _mm512_cvtepi32_ps(sums[i]);
      const __m512 key = _mm512_loadu_ps(scales + entries + i % kVectors * 16);
      const __m512 other = _mm512_set1_ps(query_scale[i / kVectors * blocks]);
      if constexpr (kExponents) {
        dots[i] = _mm512_add_ps(dots[i], _mm512_scalef_ps(sum, _mm512_add_ps(key, other)));
      } else {
        dots[i] = _mm512_fmadd_ps(_mm512_mul_ps(sum, key), other, dots[i]);
      }
    });
  }
};

// scales: [64 entries] fp32; null for 1.
template <typename Tile>
void ScoreRows(const ScoreQuery& query, const Tile& tile, const std::byte* next,
               const std::byte* scales, float* scores) {
  SumRows(query.rows, query.heads, query.weights, tile, next, KeyPageBytes(query.format, query.dim),
          [&](int row, int vector, __m512 sum) {
            const __m512 scale =
                scales == nullptr ? _mm512_set1_ps(1) : _mm512_loadu_ps(scales + 64 * vector);
            StoreScores(sum, scale, scores + row * kPageEntries + 16 * vector);
          });
}

// Codes of a page's scales as exponents, or as 2^(code - 127 - kMxFp4Shift): the largest block, of
// 32 * 12 * 12 and the largest code, stays finite, and the smallest product is exact.
template <bool kExponents>
void DecodeScales(const std::byte* codes, int count, float* scales) {
  for (int i = 0; i < count; i += 16) {
    const __m512i code =
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i)));
    const __m512 exponent = _mm512_cvtepi32_ps(code);
    const __m512 factor = _mm512_scalef_ps(
        _mm512_set1_ps(1), _mm512_sub_ps(exponent, _mm512_set1_ps(127 + kMxFp4Shift)));
    _mm512_storeu_ps(scales + i, kExponents ? exponent : factor);
  }
}

template <bool kExponents>
void ScoreMxFp4(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                std::byte* scratch, float* scores) {
  const std::byte* const page = turn.page;
  const MxFp4Layout layout(query);
  const int blocks = query.dim / 32;
  std::byte* keys = scratch;
  auto* starts = reinterpret_cast<int32_t*>(scratch + kPageEntries * query.dim);
  auto* scales = reinterpret_cast<float*>(starts + blocks * kPageEntries);
  for (int v = 0; v < kEntryVectors; ++v) {
    std::byte* block_words = keys + v * 16 * query.dim;
    DecodeE2m1Block(page + v * 16 * query.dim / 2, query.dim, block_words);
    for (int b = 0; b < blocks; ++b) {
      StoreBytes(StartOf(block_words + b * 32 * 16, 32 / 4, kE2m1Offset),
                 starts + b * kPageEntries + v * 16);
    }
  }
  DecodeScales<kExponents>(page + kPageEntries * query.dim / 2, blocks * kPageEntries, scales);
  ScoreRows(
      query,
      MxFp4Tile<kExponents>{.queries = reinterpret_cast<const uint32_t*>(prepared),
                            .query_scales = reinterpret_cast<const float*>(
                                prepared + (kExponents ? layout.exponents_at : layout.factors_at)),
                            .keys = keys,
                            .starts = starts,
                            .scales = scales,
                            .words = query.dim / 4},
      turn.next, nullptr, scores);
}

}  // namespace

void ScorePage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* scores) {
  const std::byte* page = turn.page;
  const auto* queries = reinterpret_cast<const uint32_t*>(prepared);
  const std::byte* scales = page + kPageEntries * KeyCodeBytes(query.format, query.dim);
  switch (query.format) {
    case KeyFormat::kFp8E4M3:
      DecodeE4m3Run(page, size_t{kPageEntries} * query.dim, scratch);
      return ScoreRows(query, Bf16Tile{.queries = queries, .keys = scratch, .words = query.dim / 2},
                       turn.next, scales, scores);
    case KeyFormat::kBf16:
      return ScoreRows(query, Bf16Tile{.queries = queries, .keys = page, .words = query.dim / 2},
                       turn.next, nullptr, scores);
    case KeyFormat::kInt8: {
      auto* starts = reinterpret_cast<int32_t*>(scratch);
      for (int v = 0; v < kEntryVectors; ++v) {
        StoreBytes(StartOf(page + v * 16 * query.dim, query.dim / 4, kInt8Offset), starts + 16 * v);
      }
      return ScoreRows(
          query,
          Int8Tile{.queries = queries, .keys = page, .starts = starts, .words = query.dim / 4},
          turn.next, scales, scores);
    }
    case KeyFormat::kMxFp4:
      return ScoreByScales(
          query, prepared, scores,
          [&](float* to) { ScoreMxFp4<false>(query, prepared, turn, scratch, to); },
          [&](float* to) { ScoreMxFp4<true>(query, prepared, turn, scratch, to); });
  }
}

size_t ScoreScratchBytes(const ScoreQuery& query) {
  const size_t entries = kPageEntries;
  switch (query.format) {
    case KeyFormat::kFp8E4M3:
      return entries * query.dim * sizeof(uint16_t);
    case KeyFormat::kBf16:
      return 0;
    case KeyFormat::kInt8:
      return entries * sizeof(int32_t);
    case KeyFormat::kMxFp4:
      return entries * (query.dim + query.dim / 32 * (sizeof(int32_t) + sizeof(float)));
  }
  return 0;
}

}  // namespace winnow::kernels::avx512_bf16
