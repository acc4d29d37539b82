#include "kernels/layout.h"

#include <cstring>

#include "kernels/transpose.h"

namespace winnow::kernels {
namespace {

constexpr int kLanes = 16;

// Bytes of one scale, 0 where there is none.
size_t ScaleUnitBytes(KeyFormat format) {
  switch (format) {
    case KeyFormat::kFp8E4M3:
    case KeyFormat::kInt8:
      return sizeof(float);
    case KeyFormat::kMxFp4:
      return 1;
    case KeyFormat::kBf16:
      return 0;
  }
  return 0;
}

// The page, layout version 1:
//   codes   4 blocks of 16 entries; a block is [code_bytes / G][16 entries][G bytes], where the G
//           bytes hold consecutive dims: 2 for fp8 (2 dims), 4 for bf16 (2 dims) and int8 (4 dims),
//           1 for MXFP4 (2 dims). A block's rows of 32 dims are thus the rows of an AMX B tile.
//   scales  [scale_bytes / S][64 entries][S bytes], S = 4 for fp8 and int8, 1 for MXFP4.

// Where the first of entry i's groups lies; the next are 16 groups apart.
size_t CodesOf(size_t code_bytes, size_t group, int i) {
  return static_cast<size_t>(i / kLanes) * kLanes * code_bytes + i % kLanes * group;
}

// Calls fn(place in entry-major key, place in page, size) for each scale of entry i.
template <size_t kScale, typename Fn>
void ForEachScale(size_t code_bytes, size_t scale_bytes, int i, Fn fn) {
  if constexpr (kScale > 0) {
    for (size_t s = 0; s < scale_bytes / kScale; ++s) {
      fn(code_bytes + s * kScale,
         kPageEntries * code_bytes + (s * kPageEntries + static_cast<size_t>(i)) * kScale, kScale);
    }
  }
}

// And for each piece of entry i.
template <size_t kGroup, size_t kScale, typename Fn>
void ForEachPiece(size_t code_bytes, size_t scale_bytes, int i, Fn fn) {
  const size_t codes = CodesOf(code_bytes, kGroup, i);
#pragma GCC unroll 8
  for (size_t at = 0; at < code_bytes; at += kGroup) fn(at, codes + at * kLanes, kGroup);
  ForEachScale<kScale>(code_bytes, scale_bytes, i, fn);
}

// Calls eight(n) for every eight keys whose places begin at a multiple of eight, and one(n) for
// each other key: of those n are the first.
template <typename EightFn, typename OneFn>
void ForEights(int first, int count, EightFn eight, OneFn one) {
  for (int n = 0; n < count;) {
    if ((first + n) % kTransposedEntries == 0 && count - n >= kTransposedEntries) {
      eight(n);
      n += kTransposedEntries;
    } else {
      one(n++);
    }
  }
}

template <size_t kGroup, size_t kScale>
void Arrange(size_t code_bytes, size_t scale_bytes, const std::byte* keys, int first, int count,
             std::byte* page) {
  const size_t key_bytes = code_bytes + scale_bytes;
  const auto copy_from = [page](const std::byte* key) {
    return [=](size_t at, size_t to, size_t size) { std::memcpy(page + to, key + at, size); };
  };
  const auto eight = [&](int n) {
    const std::byte* key = keys + n * key_bytes;
    std::byte* to = page + CodesOf(code_bytes, kGroup, first + n);
    for (size_t at = 0; at < code_bytes; at += kTransposedBytes) {
      GroupEntries<kGroup>(key + at, key_bytes, to + at * kLanes, kLanes * kGroup);
    }
    for (int i = 0; i < kTransposedEntries; ++i, key += key_bytes) {
      ForEachScale<kScale>(code_bytes, scale_bytes, first + n + i, copy_from(key));
    }
  };
  ForEights(first, count, eight, [&](int n) {
    ForEachPiece<kGroup, kScale>(code_bytes, scale_bytes, first + n,
                                 copy_from(keys + n * key_bytes));
  });
}

template <size_t kGroup, size_t kScale>
void Extract(size_t code_bytes, size_t scale_bytes, const std::byte* page, int first, int count,
             std::byte* keys) {
  const size_t key_bytes = code_bytes + scale_bytes;
  const auto copy_to = [page](std::byte* key) {
    return [=](size_t at, size_t from, size_t size) { std::memcpy(key + at, page + from, size); };
  };
  const auto eight = [&](int n) {
    std::byte* key = keys + n * key_bytes;
    const std::byte* from = page + CodesOf(code_bytes, kGroup, first + n);
    for (size_t at = 0; at < code_bytes; at += kTransposedBytes) {
      UngroupEntries<kGroup>(from + at * kLanes, kLanes * kGroup, key + at, key_bytes);
    }
    for (int i = 0; i < kTransposedEntries; ++i, key += key_bytes) {
      ForEachScale<kScale>(code_bytes, scale_bytes, first + n + i, copy_to(key));
    }
  };
  ForEights(first, count, eight, [&](int n) {
    ForEachPiece<kGroup, kScale>(code_bytes, scale_bytes, first + n, copy_to(keys + n * key_bytes));
  });
}

// Calls fn<G, S>() of the format's layout.
template <typename Fn>
void ForGroups(KeyFormat format, Fn fn) {
  switch (format) {
    case KeyFormat::kFp8E4M3:
      return fn.template operator()<2, 4>();
    case KeyFormat::kMxFp4:
      return fn.template operator()<1, 1>();
    case KeyFormat::kBf16:
      return fn.template operator()<4, 0>();
    case KeyFormat::kInt8:
      return fn.template operator()<4, 4>();
  }
}

}  // namespace

size_t KeyCodeBytes(KeyFormat format, int dim) {
  switch (format) {
    case KeyFormat::kFp8E4M3:
    case KeyFormat::kInt8:
      return dim;
    case KeyFormat::kMxFp4:
      return dim / 2;
    case KeyFormat::kBf16:
      return size_t{2} * dim;
  }
  return 0;
}

size_t KeyScaleBytes(KeyFormat format, int dim) {
  return format == KeyFormat::kMxFp4 ? dim / 32 : ScaleUnitBytes(format);
}

size_t KeyBytes(KeyFormat format, int dim) {
  return KeyCodeBytes(format, dim) + KeyScaleBytes(format, dim);
}

size_t QueryBytes(KeyFormat format, int dim) {
  return format == KeyFormat::kMxFp4 ? KeyBytes(format, dim) : KeyCodeBytes(format, dim);
}

size_t KeyPageBytes(KeyFormat format, int dim) { return kPageEntries * KeyBytes(format, dim); }

size_t RowBytes(RowFormat format, int latent_dim, int rope_dim) {
  if (format == RowFormat::kBf16) return size_t{2} * (latent_dim + rope_dim);
  return latent_dim + latent_dim / kLatentScaleGroup * sizeof(float) + size_t{2} * rope_dim;
}

void ArrangeKeys(KeyFormat format, int dim, const std::byte* keys, int first, int count,
                 std::byte* page) {
  ForGroups(format, [&]<size_t kGroup, size_t kScale>() {
    Arrange<kGroup, kScale>(KeyCodeBytes(format, dim), KeyScaleBytes(format, dim), keys, first,
                            count, page);
  });
}

void ExtractKeys(KeyFormat format, int dim, const std::byte* page, int first, int count,
                 std::byte* keys) {
  ForGroups(format, [&]<size_t kGroup, size_t kScale>() {
    Extract<kGroup, kScale>(KeyCodeBytes(format, dim), KeyScaleBytes(format, dim), page, first,
                            count, keys);
  });
}

}  // namespace winnow::kernels
