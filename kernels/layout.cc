#include "kernels/layout.h"

#include <cstring>

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
// Calls fn(code or scale bytes of entry-major key, place in page, size) for each piece of entry i.
template <size_t kGroup, size_t kScale, typename Fn>
void ForEachPiece(size_t code_bytes, size_t scale_bytes, int i, Fn fn) {
  const size_t block = static_cast<size_t>(i / kLanes) * kLanes * code_bytes;
  const size_t lane = i % kLanes;
  for (size_t g = 0; g < code_bytes / kGroup; ++g) {
    fn(g * kGroup, block + (g * kLanes + lane) * kGroup, kGroup);
  }
  if constexpr (kScale > 0) {
    for (size_t s = 0; s < scale_bytes / kScale; ++s) {
      fn(code_bytes + s * kScale,
         kPageEntries * code_bytes + (s * kPageEntries + static_cast<size_t>(i)) * kScale, kScale);
    }
  }
}

template <size_t kGroup, size_t kScale>
void Arrange(size_t code_bytes, size_t scale_bytes, const std::byte* keys, int first, int count,
             std::byte* page) {
  for (int n = 0; n < count; ++n) {
    const std::byte* key = keys + static_cast<size_t>(n) * (code_bytes + scale_bytes);
    ForEachPiece<kGroup, kScale>(
        code_bytes, scale_bytes, first + n,
        [&](size_t at, size_t to, size_t size) { std::memcpy(page + to, key + at, size); });
  }
}

template <size_t kGroup, size_t kScale>
void Extract(size_t code_bytes, size_t scale_bytes, const std::byte* page, int first, int count,
             std::byte* keys) {
  for (int n = 0; n < count; ++n) {
    std::byte* key = keys + static_cast<size_t>(n) * (code_bytes + scale_bytes);
    ForEachPiece<kGroup, kScale>(
        code_bytes, scale_bytes, first + n,
        [&](size_t at, size_t from, size_t size) { std::memcpy(key + at, page + from, size); });
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
  const size_t codes = KeyCodeBytes(format, dim);
  const size_t scales = KeyScaleBytes(format, dim);
  switch (format) {
    case KeyFormat::kFp8E4M3:
      return Arrange<2, 4>(codes, scales, keys, first, count, page);
    case KeyFormat::kMxFp4:
      return Arrange<1, 1>(codes, scales, keys, first, count, page);
    case KeyFormat::kBf16:
      return Arrange<4, 0>(codes, scales, keys, first, count, page);
    case KeyFormat::kInt8:
      return Arrange<4, 4>(codes, scales, keys, first, count, page);
  }
}

void ExtractKeys(KeyFormat format, int dim, const std::byte* page, int first, int count,
                 std::byte* keys) {
  const size_t codes = KeyCodeBytes(format, dim);
  const size_t scales = KeyScaleBytes(format, dim);
  switch (format) {
    case KeyFormat::kFp8E4M3:
      return Extract<2, 4>(codes, scales, page, first, count, keys);
    case KeyFormat::kMxFp4:
      return Extract<1, 1>(codes, scales, page, first, count, keys);
    case KeyFormat::kBf16:
      return Extract<4, 0>(codes, scales, page, first, count, keys);
    case KeyFormat::kInt8:
      return Extract<4, 4>(codes, scales, page, first, count, keys);
  }
}

}  // namespace winnow::kernels
