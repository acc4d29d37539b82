#ifndef WINNOW_KERNELS_TRANSPOSE_H_
#define WINNOW_KERNELS_TRANSPOSE_H_

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <cstddef>
#include <cstring>

namespace winnow::kernels {

// GroupEntries transposes [8 entries][16 bytes] to [16 / G groups][8 entries][G bytes], and
// UngroupEntries back. Rows are a stride apart.
inline constexpr int kTransposedEntries = 8;
inline constexpr size_t kTransposedBytes = 16;

#ifdef __SSE2__  // which every x86-64 has

struct TransposedVectors {
  static constexpr size_t kCount = kTransposedEntries;
  __m128i of[kCount];
};

// Elements of G bytes of two vectors in turn: those of their low and of their high halves.
template <size_t G>
inline __m128i InterleaveLow(__m128i a, __m128i b) {
  if constexpr (G == 1) return _mm_unpacklo_epi8(a, b);
  if constexpr (G == 2) return _mm_unpacklo_epi16(a, b);
  if constexpr (G == 4) return _mm_unpacklo_epi32(a, b);
}
template <size_t G>
inline __m128i InterleaveHigh(__m128i a, __m128i b) {
  if constexpr (G == 1) return _mm_unpackhi_epi8(a, b);
  if constexpr (G == 2) return _mm_unpackhi_epi16(a, b);
  if constexpr (G == 4) return _mm_unpackhi_epi32(a, b);
}

// A perfect shuffle of all elements: the highest bit of an element's place becomes the lowest. As
// many of them as rows have bits in their number exchange rows and columns.
template <size_t G, int kTimes>
inline void Shuffle(TransposedVectors& vectors) {
  for (int times = 0; times < kTimes; ++times) {
    const TransposedVectors from = vectors;
    for (size_t i = 0; i < from.kCount / 2; ++i) {
      vectors.of[2 * i] = InterleaveLow<G>(from.of[i], from.of[i + from.kCount / 2]);
      vectors.of[2 * i + 1] = InterleaveHigh<G>(from.of[i], from.of[i + from.kCount / 2]);
    }
  }
}

// Where vector i of the groups lies: groups of 8 entries are half a vector, one or two.
template <size_t G>
inline size_t PlaceOfVector(size_t i, size_t stride) {
  return i * 2 / G * stride + i * 2 % G / 2 * 16;
}

template <size_t G>
inline TransposedVectors LoadGroups(const std::byte* groups, size_t stride) {
  TransposedVectors vectors;
  for (size_t i = 0; i < vectors.kCount; ++i) {
    const std::byte* from = groups + PlaceOfVector<G>(i, stride);
    if constexpr (G == 1) {
      vectors.of[i] = _mm_unpacklo_epi64(_mm_loadu_si64(from), _mm_loadu_si64(from + stride));
    } else {
      vectors.of[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    }
  }
  return vectors;
}
template <size_t G>
inline void StoreGroups(const TransposedVectors& vectors, std::byte* groups, size_t stride) {
  for (size_t i = 0; i < vectors.kCount; ++i) {
    std::byte* to = groups + PlaceOfVector<G>(i, stride);
    if constexpr (G == 1) {
      _mm_storeu_si64(to, vectors.of[i]);
      _mm_storeu_si64(to + stride, _mm_unpackhi_epi64(vectors.of[i], vectors.of[i]));
    } else {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), vectors.of[i]);
    }
  }
}

template <size_t G>
inline void GroupEntries(const std::byte* entries, size_t entry_stride, std::byte* groups,
                         size_t group_stride) {
  TransposedVectors vectors;
  for (size_t i = 0; i < vectors.kCount; ++i) {
    vectors.of[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(entries + i * entry_stride));
  }
  Shuffle<G, 3>(vectors);
  StoreGroups<G>(vectors, groups, group_stride);
}

template <size_t G>
inline void UngroupEntries(const std::byte* groups, size_t group_stride, std::byte* entries,
                           size_t entry_stride) {
  TransposedVectors vectors = LoadGroups<G>(groups, group_stride);
  Shuffle<G, G == 1 ? 4 : G == 2 ? 3 : 2>(vectors);
  for (size_t i = 0; i < vectors.kCount; ++i) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(entries + i * entry_stride), vectors.of[i]);
  }
}

#else

// Calls copy(in entries, in groups) for each group of each entry.
template <size_t G, typename CopyFn>
inline void ForEachGroup(size_t entry_stride, size_t group_stride, CopyFn copy) {
  for (size_t i = 0; i < kTransposedEntries; ++i) {
    for (size_t g = 0; g < kTransposedBytes / G; ++g) {
      copy(i * entry_stride + g * G, g * group_stride + i * G);
    }
  }
}

template <size_t G>
inline void GroupEntries(const std::byte* entries, size_t entry_stride, std::byte* groups,
                         size_t group_stride) {
  ForEachGroup<G>(entry_stride, group_stride,
                  [=](size_t from, size_t to) { std::memcpy(groups + to, entries + from, G); });
}

template <size_t G>
inline void UngroupEntries(const std::byte* groups, size_t group_stride, std::byte* entries,
                           size_t entry_stride) {
  ForEachGroup<G>(entry_stride, group_stride,
                  [=](size_t to, size_t from) { std::memcpy(entries + to, groups + from, G); });
}

#endif

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_TRANSPOSE_H_
