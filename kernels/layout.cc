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

// Walks through `count` entry-major keys whose places in the page begin at `first`. Calls
// eight(in keys, in page) for the codes of 16 bytes of eight keys whose places begin at a multiple
// of eight, and piece(in keys, in page, size) for each piece of what is left.
template <size_t kGroup, size_t kScale, typename EightFn, typename PieceFn>
void ForEachPiece(size_t code_bytes, size_t scale_bytes, int first, int count, EightFn eight,
                  PieceFn piece) {
  const size_t key_bytes = code_bytes + scale_bytes;
  for (int n = 0; n < count;) {
    const size_t key = n * key_bytes;
    const size_t codes = CodesOf(code_bytes, kGroup, first + n);
    if ((first + n) % kTransposedEntries == 0 && count - n >= kTransposedEntries) {
      for (size_t at = 0; at < code_bytes; at += kTransposedBytes) {
        eight(key + at, codes + at * kLanes);
      }
      n += kTransposedEntries;
    } else {
#pragma GCC unroll 8
      for (size_t at = 0; at < code_bytes; at += kGroup) {
        piece(key + at, codes + at * kLanes, kGroup);
      }
      ++n;
    }
  }
  if constexpr (kScale > 0) {
    for (int n = 0; n < count; ++n) {
      const size_t scale = kPageEntries * code_bytes + (first + n) * kScale;
      for (size_t at = 0; at < scale_bytes; at += kScale) {
        piece(n * key_bytes + code_bytes + at, scale + at * kPageEntries, kScale);
      }
    }
  }
}

template <size_t kGroup, size_t kScale>
void Arrange(size_t code_bytes, size_t scale_bytes, const std::byte* keys, int first, int count,
             std::byte* page) {
  ForEachPiece<kGroup, kScale>(
      code_bytes, scale_bytes, first, count,
      [=](size_t from, size_t to) {
        GroupEntries<kGroup>(keys + from, code_bytes + scale_bytes, page + to, kLanes * kGroup);
      },
      [=](size_t from, size_t to, size_t size) { std::memcpy(page + to, keys + from, size); });
}

template <size_t kGroup, size_t kScale>
void Extract(size_t code_bytes, size_t scale_bytes, const std::byte* page, int first, int count,
             std::byte* keys) {
  ForEachPiece<kGroup, kScale>(
      code_bytes, scale_bytes, first, count,
      [=](size_t to, size_t from) {
        UngroupEntries<kGroup>(page + from, kLanes * kGroup, keys + to, code_bytes + scale_bytes);
      },
      [=](size_t to, size_t from, size_t size) { std::memcpy(keys + to, page + from, size); });
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
