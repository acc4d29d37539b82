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

#include "kernels/cpu/avx512_levels.inc"
#include "kernels/cpu/avx512_tiles.inc"

constexpr int kQueryOffset = 128;

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

// A vector's levels to words [dim / 4, 16 entries], and what its sums start at.
Bytes RoundVector(const std::byte* codes, int dim, KeyRounder& rounder, std::byte* words) {
  Bytes sums = _mm512_setzero_si512();
  for (int at = 0; at < dim * 16; at += 64) {
    const Bytes levels = rounder.Round(codes + at);
    StoreBytes(levels, words + at);
    sums = AddDotBytes(sums, _mm512_set1_epi8(static_cast<char>(kQueryOffset)), levels);
  }
  return _mm512_sub_epi32(_mm512_setzero_si512(), sums);
}

void BoundPage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* bounds) {
  const LevelledLayout layout(query);
  const auto* const errors = reinterpret_cast<const ScoreError*>(prepared + layout.errors_at);
  const size_t code_bytes = size_t{kPageEntries} * query.dim;
  auto* const starts = reinterpret_cast<int32_t*>(scratch + code_bytes);
  KeyRounder rounder(LargestExponent(turn.page, code_bytes));
  RoundedPage rounded;
  rounded.step = rounder.step();
  for (int v = 0; v < kEntryVectors; ++v) {
    const int first = 16 * v;
    StoreBytes(
        RoundVector(turn.page + first * query.dim, query.dim, rounder, scratch + first * query.dim),
        starts + first);
    rounder.Take(rounded.norms + first, rounded.residuals + first);
  }
  const Int8Tile tile = {.queries = reinterpret_cast<const uint32_t*>(prepared),
                         .keys = scratch,
                         .starts = starts,
                         .words = query.dim / 4};
  SumRows(query.rows, query.heads, reinterpret_cast<const float*>(prepared + layout.weights_at),
          tile, turn.next, KeyPageBytes(query.format, query.dim), [&](int row, int v, __m512 sum) {
            StoreBounds(sum, rounded, errors[row], turn.page + code_bytes, 16 * v,
                        bounds + row * kPageEntries);
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
