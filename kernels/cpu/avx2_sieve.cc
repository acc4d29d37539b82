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

#include "kernels/cpu/avx2_tiles.inc"

constexpr int kKeyBits = 1;
constexpr int kQueryBits = 2;
constexpr int kLargestKey = 15 << kKeyBits;
constexpr int kQueryOffset = 15 << kQueryBits;  // makes levels of queries unsigned
constexpr int kSummedWords = 4;                 // in int16, before they are widened
static_assert(2 * kSummedWords * 2 * kQueryOffset * kLargestKey < 1 << 15);

struct ByteTile {
  static constexpr int kTileHeads = 2;
  const uint32_t* queries;  // [rows * heads, words], each byte kQueryOffset too large
  const std::byte* keys;    // [words, 16 entries]
  const int32_t* starts;    // [16 entries]: -kQueryOffset times the sum of the key
  int words;                // a multiple of 8

  template <int kHeads>
  __attribute__((noinline)) void Dots(int first_head, __m256 (&dots)[kHeads * kVectors]) const {
    Bytes sums[kHeads * kVectors];
    Unrolled<kHeads * kVectors>([&](auto i) { sums[i] = LoadBytes(starts + i % kVectors * 8); });
    const uint32_t* query = queries + static_cast<size_t>(first_head) * words;
    for (int w = 0; w < words; w += kSummedWords) {
      Bytes some[kHeads * kVectors];
      ByteDots<kHeads, kSummedWords>(query + w, words, keys + w * 4 * kBlockEntries, some);
      Unrolled<kHeads * kVectors>([&](auto i) { sums[i] = _mm256_add_epi32(sums[i], some[i]); });
    }
    Unrolled<kHeads * kVectors>([&](auto i) { dots[i] = _mm256_cvtepi32_ps(sums[i]); });
  }
};

// Magnitudes' levels and losses, for each exponent of the largest. Only codes of the highest six
// exponents have levels but 0; the first of these stands for all below it.
struct Levels {
  static constexpr int kCodes = 48;
  // The square of what a code loses, in steps, is at most 1/4, and kept in 127ths of that: those of
  // 256 dims add up in an int16.
  static constexpr float kLossUnit = 1.0f / 508;
  static_assert(0.25f / kLossUnit <= 127);

  static int BaseOf(int exponent) { return std::max(0, 8 * (exponent - 5)); }

  Levels() {
    for (int exponent = 1; exponent < 16; ++exponent) {
      for (int i = 0; i < kCodes; ++i) {
        const RoundedCode rounded = RoundCode(BaseOf(exponent) + i, exponent, kKeyBits);
        levels[exponent][i] = rounded.level;
        losses[exponent][i] = static_cast<uint8_t>(std::ceil(rounded.lost_square / kLossUnit));
      }
    }
  }

  alignas(16) std::array<std::array<uint8_t, kCodes>, 16> levels = {};
  alignas(16) std::array<std::array<uint8_t, kCodes>, 16> losses = {};
};

const Levels& TheLevels() {
  static const Levels levels;
  return levels;
}

// Where the 16 bytes of a third of a table lie, in both halves of a vector.
class ByteTable {
 public:
  explicit ByteTable(const std::array<uint8_t, Levels::kCodes>& bytes) {
    Unrolled<3>([&](auto i) {
      thirds_[i] = _mm256_broadcastsi128_si256(
          _mm_load_si128(reinterpret_cast<const __m128i*>(bytes.data()) + i));
    });
  }

  // Indices as ThirdsOf makes them of those into the table.
  Bytes operator()(const Bytes (&indices)[3]) const {
    Bytes found = _mm256_shuffle_epi8(thirds_[0], indices[0]);
    found = _mm256_or_si256(found, _mm256_shuffle_epi8(thirds_[1], indices[1]));
    return _mm256_or_si256(found, _mm256_shuffle_epi8(thirds_[2], indices[2]));
  }

  // Shuffling gives zero for an index of 128 and more.
  static void ThirdsOf(Bytes index, Bytes (&thirds)[3]) {
    const Bytes to_high = _mm256_set1_epi8(0x70);
    thirds[0] = _mm256_adds_epu8(index, to_high);
    thirds[1] = _mm256_adds_epu8(_mm256_sub_epi8(index, _mm256_set1_epi8(16)), to_high);
    thirds[2] = _mm256_sub_epi8(index, _mm256_set1_epi8(32));
  }

 private:
  Bytes thirds_[3];
};

bool RunsHere() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool Suits(const ScoreQuery& query) { return query.format == KeyFormat::kFp8E4M3; }

size_t PreparedBytes(const ScoreQuery& query) { return LevelledLayout(query).bytes; }

void Prepare(const ScoreQuery& query, std::byte* prepared) {
  PrepareLevelled(query, kQueryBits, kQueryOffset, prepared);
}

// Scratch: a block's levels [dim / 4 words, 16 entries], then sums' starts [16] int32.
size_t ScratchBytes(const ScoreQuery& query) {
  return kBlockEntries * (size_t{1} * query.dim + sizeof(int32_t));
}

int LargestExponent(const std::byte* codes, size_t count) {
  constexpr size_t kRunBytes = 512;  // 16 entries of 32 dims, which all shapes are multiples of
  constexpr uint8_t kHighest = 0x78;
  const Bytes highest = _mm256_set1_epi8(kHighest);
  Bytes largest = _mm256_setzero_si256();
  // Scaled keys reach the highest exponent soon.
  for (size_t at = 0; at < count; at += kRunBytes) {
    for (size_t i = at; i < at + kRunBytes; i += 32) {
      largest =
          _mm256_max_epu8(largest, _mm256_and_si256(LoadBytes(codes + i), _mm256_set1_epi8(0x7f)));
    }
    if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(largest, highest), largest)) != 0) {
      return E4m3Exponent(kHighest);
    }
  }
  alignas(32) std::array<uint8_t, 32> lanes;
  StoreBytes(largest, lanes.data());
  return E4m3Exponent(*std::ranges::max_element(lanes));
}

// Rounds keys whose largest value has a certain exponent.
class KeyRounder {
 public:
  explicit KeyRounder(int exponent)
      : base_(_mm256_set1_epi8(static_cast<char>(Levels::BaseOf(exponent)))),
        levels_(TheLevels().levels[exponent]),
        losses_(TheLevels().losses[exponent]) {}

  // Pairs [2, 16 entries][2 dims] of codes to words [16 entries][4 dims] of levels.
  void Round(const std::byte* pairs, std::byte* words) {
    const Bytes first = LevelsOf(LoadBytes(pairs)), second = LevelsOf(LoadBytes(pairs + 32));
    const Bytes low = _mm256_unpacklo_epi16(first, second);  // entries 0..3 and 8..11
    const Bytes high = _mm256_unpackhi_epi16(first, second);
    StoreBytes(_mm256_permute2x128_si256(low, high, 0x20), words);
    StoreBytes(_mm256_permute2x128_si256(low, high, 0x31), words + 32);
    pairs_ += 2;
  }

  // What sums of entries 8 * v and on start at.
  Bytes StartsOf(int v) const {
    return _mm256_mullo_epi32(Widened(sums_, v), _mm256_set1_epi32(-kQueryOffset));
  }

  // Of entries 8 * v and on, in steps: at least |k'|, and at least |k - k'|.
  __m256 NormsOf(int v) const {
    // Each pair's square was rounded down by less than one unit.
    return RootOf(_mm256_add_epi16(squares_, _mm256_set1_epi16(pairs_)), v, kSquareUnit);
  }
  __m256 ResidualsOf(int v) const { return RootOf(lost_, v, Levels::kLossUnit); }

 private:
  // So that the squares of 256 dims add up in an int16.
  static constexpr int kSquareShift = 3;
  static constexpr float kSquareUnit = 1 << kSquareShift;
  static_assert((2 * kLargestKey * kLargestKey / (1 << kSquareShift) + 1) * kMaxIndexDim / 2 <
                1 << 15);

  Bytes LevelsOf(Bytes codes) {
    Bytes indices[3];
    ByteTable::ThirdsOf(_mm256_subs_epu8(_mm256_and_si256(codes, _mm256_set1_epi8(0x7f)), base_),
                        indices);
    const Bytes magnitude = levels_(indices);
    lost_ = _mm256_add_epi16(lost_, _mm256_maddubs_epi16(losses_(indices), _mm256_set1_epi8(1)));
    squares_ = _mm256_add_epi16(
        squares_, _mm256_srli_epi16(_mm256_maddubs_epi16(magnitude, magnitude), kSquareShift));
    const Bytes levels = _mm256_sign_epi8(magnitude, codes);
    sums_ = _mm256_add_epi16(sums_, _mm256_maddubs_epi16(_mm256_set1_epi8(1), levels));
    return levels;
  }

  static Bytes Widened(Bytes shorts, int v) {
    return _mm256_cvtepi16_epi32(v == 0 ? _mm256_castsi256_si128(shorts)
                                        : _mm256_extracti128_si256(shorts, 1));
  }
  static __m256 RootOf(Bytes sums, int v, float unit) {
    return _mm256_sqrt_ps(
        _mm256_mul_ps(_mm256_cvtepi32_ps(Widened(sums, v)), _mm256_set1_ps(unit)));
  }

  const Bytes base_;
  const ByteTable levels_;
  const ByteTable losses_;
  int16_t pairs_ = 0;
  Bytes lost_ = _mm256_setzero_si256();     // [16 entries] int16
  Bytes squares_ = _mm256_setzero_si256();  // [16 entries] int16
  Bytes sums_ = _mm256_setzero_si256();     // [16 entries] int16
};

// scale * (sum +- error), the upper of both; infinite where the sum says nothing.
__m256 UpperBound(__m256 sum, __m256 error, __m256 scale) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  const __m256 infinity = _mm256_set1_ps(__builtin_inff());
  const __m256 score = _mm256_mul_ps(sum, scale);
  const __m256 slack = _mm256_fmadd_ps(_mm256_add_ps(error, _mm256_set1_ps(kUnderflow)),
                                       _mm256_and_ps(scale, magnitude), _mm256_set1_ps(kUnderflow));
  const __m256 is_finite = _mm256_cmp_ps(_mm256_and_ps(score, magnitude), infinity, _CMP_LT_OQ);
  return _mm256_blendv_ps(infinity, _mm256_add_ps(score, slack), is_finite);
}

void BoundPage(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
               std::byte* scratch, float* bounds) {
  const LevelledLayout layout(query);
  const auto* const weights = reinterpret_cast<const float*>(prepared + layout.weights_at);
  const auto* const errors = reinterpret_cast<const ScoreError*>(prepared + layout.errors_at);
  const size_t code_bytes = size_t{kPageEntries} * query.dim;
  const auto* const scales = reinterpret_cast<const float*>(turn.page + code_bytes);
  const int exponent = LargestExponent(turn.page, code_bytes);
  const __m256 step = _mm256_set1_ps(E4m3Step(exponent, kKeyBits));
  NextPage next(turn.next, KeyPageBytes(query.format, query.dim), AskingsOf<ByteTile>(query));
  auto* const starts = reinterpret_cast<int32_t*>(scratch + kBlockEntries * query.dim);
  const ByteTile tile = {.queries = reinterpret_cast<const uint32_t*>(prepared),
                         .keys = scratch,
                         .starts = starts,
                         .words = query.dim / 4};
  for (int block = 0; block < kBlocks; ++block) {
    const int first = block * kBlockEntries;
    const std::byte* const codes = turn.page + size_t{1} * first * query.dim;
    KeyRounder keys(exponent);
    for (int at = 0; at < kBlockEntries * query.dim; at += 64) keys.Round(codes + at, scratch + at);
    for (int v = 0; v < kVectors; ++v) StoreBytes(keys.StartsOf(v), starts + 8 * v);
    SumRows(query, weights, tile, &next, [&](int row, int v, __m256 sum) {
      const int entry = first + 8 * v;
      const __m256 error =
          _mm256_fmadd_ps(_mm256_set1_ps(errors[row].per_residual), keys.ResidualsOf(v),
                          _mm256_mul_ps(_mm256_set1_ps(errors[row].per_norm), keys.NormsOf(v)));
      const __m256 bound = UpperBound(_mm256_mul_ps(sum, step), _mm256_mul_ps(error, step),
                                      _mm256_loadu_ps(scales + entry));
      _mm256_storeu_ps(bounds + row * kPageEntries + entry, bound);
    });
  }
}

}  // namespace

const Sieve& Avx2Sieve() {
  static constexpr Sieve sieve = {.runs_here = RunsHere,
                                  .suits = Suits,
                                  .prepared_bytes = PreparedBytes,
                                  .prepare = Prepare,
                                  .scratch_bytes = ScratchBytes,
                                  .bound_page = BoundPage};
  return sieve;
}

}  // namespace winnow::kernels
