#include "kernels/cpu/avx2_sieve.h"

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

#pragma GCC target("avx2,fma")

namespace winnow::kernels {
namespace {

#include "kernels/cpu/avx2_e2m1_levels.inc"
#include "kernels/cpu/avx2_e4m3_levels.inc"
#include "kernels/cpu/avx2_int8_levels.inc"

constexpr int kQueryBits = 3;
constexpr int kQueryOffset = 128;  // makes levels of queries unsigned

// Two products are added with saturation, so they must fit an int16. Sums of these are modulo 2^16:
// only what they end at must fit, where levels of keys are at most kLargestKey.
constexpr int kMostInInt16 = (1 << 15) - 1;
constexpr LevelRange kQueryLevels = {
    .extra_bits = kQueryBits, .offset = kQueryOffset, .most_in_sum = kMostInInt16 / kLargestKey};
static_assert((15 << kKeyBits) <= kLargestKey);
static_assert(2 * (2 * kQueryOffset - 1) * kLargestKey <= kMostInInt16);

struct ByteTile {
  static constexpr int kTileHeads = 4;
  const uint32_t* queries;  // [rows * heads, words], each byte kQueryOffset too large
  const std::byte* keys;    // [words, 16 entries]
  const std::byte* starts;  // [words / 8, 16 entries][2] int16
  int words;

  template <int kHeads>
  __attribute__((noinline)) void Dots(int first_head, __m256 (&dots)[kHeads * kVectors]) const {
    Bytes sums[kHeads * kVectors];
    Unrolled<kHeads * kVectors>([&](auto i) { sums[i] = _mm256_setzero_si256(); });
    const uint32_t* query = queries + static_cast<size_t>(first_head) * words;
    for (int i = 0; i < words / kSummedWords; ++i) {
      Bytes some[kHeads * kVectors];
      ByteDots<kHeads>(query + i * kSummedWords, words, keys + i * kSummedBytes,
                       starts + i * kStartBytes, some);
      Unrolled<kHeads * kVectors>([&](auto s) { sums[s] = _mm256_add_epi32(sums[s], some[s]); });
    }
    Unrolled<kHeads * kVectors>([&](auto i) { dots[i] = _mm256_cvtepi32_ps(sums[i]); });
  }
};

bool RunsHere() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool Suits(const ScoreQuery& query) { return query.format != KeyFormat::kBf16; }

size_t PreparedBytes(const ScoreQuery& query) { return LevelledLayout(query).bytes; }

void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared, std::byte* scratch) {
  PrepareLevelledRow(query, row, kQueryLevels, prepared, scratch);
}

// Scratch: a block's levels [dim / 4 words, 16 entries], then what their sums start at.
size_t ScratchBytes(const ScoreQuery& query) {
  return size_t{1} * kBlockEntries * query.dim + query.dim / 32 * kStartBytes;
}

template <typename Rounder>
void BoundPageOf(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                 std::byte* scratch, const PageBounds& to) {
  const LevelledLayout layout(query);
  const auto* const weights = reinterpret_cast<const float*>(prepared + layout.weights_at);
  const auto* const errors = reinterpret_cast<const ScoreError*>(prepared + layout.errors_at);
  std::byte* const starts = scratch + size_t{1} * kBlockEntries * query.dim;
  NextPage next(turn.next, KeyPageBytes(query.format, query.dim), AskingsOf<ByteTile>(query));
  const ByteTile tile = {.queries = reinterpret_cast<const uint32_t*>(prepared),
                         .keys = scratch,
                         .starts = starts,
                         .words = query.dim / 4};
  Rounder rounder(turn.page, query.dim);
  for (int first = 0; first < kPageEntries; first += kBlockEntries) {
    RoundedBlock block;
    rounder.RoundBlock(scratch, &block);
    for (int i = 0; i < query.dim / 32; ++i) {
      StoreStarts(scratch + i * kSummedBytes, kQueryOffset, starts + i * kStartBytes);
    }
    SumRows(query, weights, tile, &next, [&](int row, int v, __m256 sum) {
      const int entry = first + 8 * v;
      const __m256 bounds = BoundsOf(sum, block, errors[row], rounder.ScalesOf(entry), v);
      _mm256_storeu_ps(to.bounds + row * kPageEntries + entry, bounds);
      const __m256 passed = _mm256_cmp_ps(bounds, _mm256_set1_ps(to.floors[row]), _CMP_NLT_UQ);
      reinterpret_cast<uint8_t*>(to.passed + row)[entry / 8] =
          static_cast<uint8_t>(_mm256_movemask_ps(passed));
    });
  }
}

void BoundPage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, const PageBounds& to) {
  switch (query.format) {
    case KeyFormat::kFp8E4M3:
      return BoundPageOf<E4m3Rounder>(query, prepared, turn, scratch, to);
    case KeyFormat::kInt8:
      return BoundPageOf<Int8Rounder>(query, prepared, turn, scratch, to);
    case KeyFormat::kMxFp4:
      return BoundPageOf<E2m1Rounder>(query, prepared, turn, scratch, to);
    case KeyFormat::kBf16:
      break;  // Suits
  }
}

}  // namespace

const Sieve& Avx2Sieve() {
  static constexpr Sieve sieve = {.runs_here = RunsHere,
                                  .suits = Suits,
                                  .prepared_bytes = PreparedBytes,
                                  .prepare_scratch_bytes = LevelledWorkspaceBytes,
                                  .prepare_row = PrepareRow,
                                  .scratch_bytes = ScratchBytes,
                                  .bound_page = BoundPage};
  return sieve;
}

}  // namespace winnow::kernels
