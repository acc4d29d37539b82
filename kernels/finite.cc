#include <algorithm>
#include <cstring>

#include "kernels/layout.h"

// Checks at the door run over every appended byte, so each loop below is a branch-free OR over a
// span that the compiler vectorises; only a span that fails is searched for its first bad entry.
namespace winnow::kernels {
namespace {

const uint8_t* Bytes(std::span<const std::byte> values) {
  return reinterpret_cast<const uint8_t*>(values.data());
}

bool AnyBadE4m3(const uint8_t* codes, size_t count) {
  // e4m3 has no infinity; 0x7f and 0xff are NaN.
  uint8_t bad = 0;
  for (size_t i = 0; i < count; ++i) bad |= static_cast<uint8_t>((codes[i] & 0x7f) == 0x7f);
  return bad != 0;
}

bool AnyBadBf16(const uint8_t* values, size_t count) {
  uint16_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, values + 2 * i, 2);
    bad |= static_cast<uint16_t>((bits & 0x7f80) == 0x7f80);
  }
  return bad != 0;
}

bool AnyBadFp32(const uint8_t* values, size_t count) {
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + 4 * i, 4);
    bad |= static_cast<uint32_t>((bits & 0x7f800000) == 0x7f800000);
  }
  return bad != 0;
}

// Of the values of a block; see layout.h.
bool AnyBadE2m1(const uint8_t* pairs, uint8_t scale) {
  if (scale == 0xff) return true;
  // 3 and 1.5 are the largest that are finite once they are multiplied by 2^126 and 2^127.
  const int largest = scale == 0xfe ? 3 : 5;
  uint8_t bad = 0;
  for (int i = 0; i < 16; ++i) {
    bad |= static_cast<uint8_t>((pairs[i] & 7) > largest) |
           static_cast<uint8_t>((pairs[i] >> 4 & 7) > largest);
  }
  return bad != 0;
}

bool AnyBadMxFp4(const uint8_t* key, int dim) {
  constexpr uint8_t kAlwaysFinite = 0xfc;
  const uint8_t* scales = key + dim / 2;
  for (int block = 0; block < dim / 32; ++block) {
    if (scales[block] > kAlwaysFinite && AnyBadE2m1(key + 16 * block, scales[block])) return true;
  }
  return false;
}

bool BadKey(KeyFormat format, int dim, const uint8_t* key, bool with_fp32_scale) {
  const uint8_t* scales = key + KeyCodeBytes(format, dim);
  switch (format) {
    case KeyFormat::kFp8E4M3:
      return AnyBadE4m3(key, dim) || (with_fp32_scale && AnyBadFp32(scales, 1));
    case KeyFormat::kMxFp4:
      return AnyBadMxFp4(key, dim);
    case KeyFormat::kBf16:
      return AnyBadBf16(key, dim);
    case KeyFormat::kInt8:
      return with_fp32_scale && AnyBadFp32(scales, 1);
  }
  return true;
}

// Index of the first element of `bytes` each for which bad(element) holds, or -1.
template <typename Fn>
int64_t FirstBad(std::span<const std::byte> values, size_t bytes, Fn bad) {
  const uint8_t* at = Bytes(values);
  const auto count = static_cast<int64_t>(values.size() / bytes);
  for (int64_t i = 0; i < count; ++i) {
    if (bad(at + i * static_cast<int64_t>(bytes))) return i;
  }
  return -1;
}

}  // namespace

int64_t FirstNonFiniteKey(KeyFormat format, int dim, std::span<const std::byte> keys) {
  return FirstBad(keys, KeyBytes(format, dim),
                  [=](const uint8_t* key) { return BadKey(format, dim, key, true); });
}

int64_t FirstNonFiniteQuery(KeyFormat format, int dim, std::span<const std::byte> queries) {
  return FirstBad(queries, QueryBytes(format, dim),
                  [=](const uint8_t* query) { return BadKey(format, dim, query, false); });
}

int64_t FirstNonFiniteRow(RowFormat format, int latent_dim, int rope_dim,
                          std::span<const std::byte> rows) {
  return FirstBad(rows, RowBytes(format, latent_dim, rope_dim), [=](const uint8_t* row) {
    if (format == RowFormat::kBf16) return AnyBadBf16(row, latent_dim + rope_dim);
    const int scales = latent_dim / kLatentScaleGroup;
    return AnyBadE4m3(row, latent_dim) || AnyBadFp32(row + latent_dim, scales) ||
           AnyBadBf16(row + latent_dim + scales * sizeof(float), rope_dim);
  });
}

int64_t FirstNonFiniteBf16(std::span<const std::byte> values) {
  if (!AnyBadBf16(Bytes(values), values.size() / 2)) return -1;
  return FirstBad(values, 2, [](const uint8_t* value) { return AnyBadBf16(value, 1); });
}

int64_t FirstNonFiniteFp32(std::span<const std::byte> values) {
  if (!AnyBadFp32(Bytes(values), values.size() / 4)) return -1;
  return FirstBad(values, 4, [](const uint8_t* value) { return AnyBadFp32(value, 1); });
}

}  // namespace winnow::kernels
