#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/cpu/avx512_bf16.h"
#include "kernels/reference/formats.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,avx512vnni,fma,f16c")

namespace winnow::kernels::avx512_bf16 {
namespace {

#include "kernels/cpu/bf16_attention.inc"

// bf16 of 16 heads in two rows side by side, and what they leave of the values.
inline Bytes RoundPair(__m512* first, __m512* second) {
  const Bytes interleave =
      _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                       21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const auto both = (Bytes)_mm512_cvtne2ps_pbh(*second, *first);
  const Bytes words = _mm512_permutexvar_epi16(interleave, both);
  const Bytes upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  *first = _mm512_sub_ps(*first, _mm512_castsi512_ps(_mm512_slli_epi32(words, 16)));
  *second = _mm512_sub_ps(*second, _mm512_castsi512_ps(_mm512_and_si512(words, upper)));
  return words;
}

void SplitProbabilities(const RowShape& shape, const AttendScratch& s, int rows) {
  for (int g = 0; g < shape.groups; ++g) {
    const float* scales = s.scales + g * kRowBlock;
    std::byte* out = s.probabilities + g * shape.terms * kProbabilityBytes;
    for (int r = 0; r < rows; r += 2) {
      for (int h = 0; h < kAttendHeads; h += 16) {
        const float* p = s.logits + r * kAttendHeads + h;
        __m512 first = _mm512_mul_ps(LoadFloats(p), _mm512_set1_ps(scales[r]));
        __m512 second = _mm512_mul_ps(LoadFloats(p + kAttendHeads), _mm512_set1_ps(scales[r + 1]));
        std::byte* words = out + 2 * r * kAttendHeads + 4 * h;
        for (int term = 0; term < shape.terms; ++term) {
          StoreBytes(RoundPair(&first, &second), words + term * kProbabilityBytes);
        }
      }
    }
  }
}

// --- Attention: lanes are heads for the logits and latent dims for the outputs ---
struct VectorEngine {
  static constexpr int kHeadVectors = kAttendHeads / 16;
  static constexpr int kTileRows = 8;
  static constexpr int kTileHeads = 8;
  static constexpr int kTileVectors = 2;

  // logits (+)= scale * (words [first_word, first_word + words) of queries and rows).
  //   scales  [kTileRows]; null for 1, and then logits are set
  static void LogitTile(const RowShape& shape, const AttendScratch& s, int row, int first_word,
                        int words, const float* scales, bool add) {
    __m512 sums[kTileRows * kHeadVectors];
    SetZero(sums);
    const std::byte* queries = s.queries + size_t{4} * first_word * kAttendHeads;
    const auto* values = reinterpret_cast<const uint32_t*>(s.rows) + row * shape.words + first_word;
    for (int w = 0; w < words; ++w) {
      Bytes query[kHeadVectors], broadcast[kTileRows];
      Unrolled<kHeadVectors>(
          [&](auto v) { query[v] = LoadBytes(queries + (w * kHeadVectors + v) * 64); });
      Unrolled<kTileRows>([&](auto r) { broadcast[r] = Broadcast(values + r * shape.words + w); });
      Unrolled<kTileRows * kHeadVectors>([&](auto i) {
        sums[i] = AddDotBf16(sums[i], query[i % kHeadVectors], broadcast[i / kHeadVectors]);
      });
    }
    float* logits = s.logits + row * kAttendHeads;
    Unrolled<kTileRows * kHeadVectors>([&](auto i) {
      const __m512 before = add ? LoadFloats(logits + 16 * i) : _mm512_setzero_ps();
      const __m512 scale = _mm512_set1_ps(scales == nullptr ? 1 : scales[i / kHeadVectors]);
      StoreFloats(_mm512_fmadd_ps(sums[i], scale, before), logits + 16 * i);
    });
  }

  static void Logits(const RowShape& shape, const AttendScratch& s, int rows) {
    for (int row = 0; row < rows; row += kTileRows) {
      for (int g = 0; g < shape.groups; ++g) {
        LogitTile(shape, s, row, g * shape.group_words, shape.group_words,
                  s.scales + g * kRowBlock + row, g > 0);
      }
      if (shape.rope > 0) {
        LogitTile(shape, s, row, shape.latent / 2, shape.rope / 2, nullptr, true);
      }
    }
  }

  // sums += probabilities of kTileHeads heads times values.
  static inline void AddTerm(const Bytes (&value)[kTileVectors], const std::byte* term,
                             __m512 (&sums)[kTileHeads * kTileVectors]) {
    const auto* words = reinterpret_cast<const uint32_t*>(term);
    Bytes broadcast[kTileHeads];
    Unrolled<kTileHeads>([&](auto h) { broadcast[h] = Broadcast(words + h); });
    Unrolled<kTileHeads * kTileVectors>([&](auto i) {
      sums[i] = AddDotBf16(sums[i], value[i % kTileVectors], broadcast[i / kTileVectors]);
    });
  }

  template <int kTerms>
  static void OutputTile(const RowShape& shape, const AttendScratch& s, int head, int dim,
                         int pairs) {
    __m512 sums[kTileHeads * kTileVectors];
    float* outputs = s.part.outputs + head * shape.latent + dim;
    Unrolled<kTileHeads * kTileVectors>([&](auto i) {
      sums[i] = LoadFloats(outputs + i / kTileVectors * shape.latent + i % kTileVectors * 16);
    });
    const int group = dim / 2 / shape.group_words;
    const std::byte* terms = s.probabilities + group * kTerms * kProbabilityBytes + 4 * head;
    const std::byte* values = s.pairs + size_t{4} * dim;
    for (int p = 0; p < pairs; ++p) {
      Bytes value[kTileVectors];
      Unrolled<kTileVectors>(
          [&](auto v) { value[v] = LoadBytes(values + size_t{4} * p * shape.latent + 64 * v); });
      const std::byte* pair = terms + 4 * p * kAttendHeads;
      Unrolled<kTerms>([&](auto i) { AddTerm(value, pair + i * kProbabilityBytes, sums); });
    }
    Unrolled<kTileHeads * kTileVectors>([&](auto i) {
      StoreFloats(sums[i], outputs + i / kTileVectors * shape.latent + i % kTileVectors * 16);
    });
  }

  template <int kTerms>
  static void AddTerms(const RowShape& shape, const AttendScratch& s, int rows) {
    for (int dim = 0; dim < shape.latent; dim += 16 * kTileVectors) {
      for (int head = 0; head < kAttendHeads; head += kTileHeads) {
        OutputTile<kTerms>(shape, s, head, dim, rows / 2);
      }
    }
  }

  static void AddOutputs(const RowShape& shape, const AttendScratch& s, int rows) {
    SplitProbabilities(shape, s, rows);
    if (shape.terms == 1) {
      AddTerms<1>(shape, s, rows);
    } else {
      AddTerms<2>(shape, s, rows);
    }
  }
};

}  // namespace

size_t AttendScratchBytes(const AttendParams& params, int) {
  return Bf16AttendScratchBytes(params);
}

size_t AttendPartBytes(const AttendParams& params) { return PartBytes(params); }

void Attend(const AttendParams& params, const AttendTask& task, std::byte* scratch,
            std::byte* part) {
  AttendWith<VectorEngine>(params, task, scratch, part);
}

void FinishAttend(const AttendParams& params, std::span<std::byte* const> parts, int first_head,
                  int heads) {
  FinishHeads(params, parts, first_head, heads);
}

}  // namespace winnow::kernels::avx512_bf16
