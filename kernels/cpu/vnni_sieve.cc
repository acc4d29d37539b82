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

#include "kernels/cpu/avx512_e2m1_levels.inc"
#include "kernels/cpu/avx512_e4m3_levels.inc"
#include "kernels/cpu/avx512_tiles.inc"

constexpr int kQueryOffset = 128;

bool RunsHere() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

bool Suits(const ScoreQuery& query) {
  return query.format == KeyFormat::kFp8E4M3 || query.format == KeyFormat::kMxFp4;
}

size_t PreparedBytes(const ScoreQuery& query) { return LevelledLayout(query).bytes; }

void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared, std::byte* scratch) {
  PrepareLevelledRow(query, row, {.extra_bits = kExtraBits, .offset = kQueryOffset}, prepared,
                     scratch);
}

// Scratch: levels [4 vectors, words, 16 entries], then sums' starts [64] int32.
size_t ScratchBytes(const ScoreQuery& query) {
  return kPageEntries * (size_t{1} * query.dim + sizeof(int32_t));
}

template <typename Rounder>
void BoundPageOf(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                 std::byte* scratch, const PageBounds& to) {
  const LevelledLayout layout(query);
  const auto* const errors = reinterpret_cast<const ScoreError*>(prepared + layout.errors_at);
  auto* const starts = reinterpret_cast<int32_t*>(scratch + size_t{kPageEntries} * query.dim);
  const std::byte* codes = turn.page;
  std::byte* levels = scratch;
  Rounder rounder(turn.page, query.dim);
  RoundedPage rounded;
  for (int first = 0; first < kPageEntries; first += 16) {
    const std::byte* const words = levels;
    for (; levels < words + 16 * query.dim; levels += Rounder::kLevels, codes += 64) {
      rounder.Round(codes, levels);
    }
    StoreBytes(StartOf(words, query.dim / 4, kQueryOffset), starts + first);
    rounder.Take(first, &rounded);
  }
  const std::byte* const scales = Rounder::Scales(turn.page, query.dim);
  const Int8Tile tile = {.queries = reinterpret_cast<const uint32_t*>(prepared),
                         .keys = scratch,
                         .starts = starts,
                         .words = query.dim / 4};
  SumRows(query.rows, query.heads, reinterpret_cast<const float*>(prepared + layout.weights_at),
          tile, turn.next, KeyPageBytes(query.format, query.dim), [&](int row, int v, __m512 sum) {
            StoreBounds(sum, rounded, errors[row], scales, row, 16 * v, to);
          });
}

void BoundPage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, const PageBounds& to) {
  if (query.format == KeyFormat::kMxFp4) {
    BoundPageOf<E2m1Rounder>(query, prepared, turn, scratch, to);
  } else {
    BoundPageOf<E4m3Rounder>(query, prepared, turn, scratch, to);
  }
}

}  // namespace

const Sieve& VnniSieve() {
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
