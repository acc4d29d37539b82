#include "kernels/cpu/prepare.h"

#include <array>
#include <bit>
#include <cstring>

#include "kernels/reference/formats.h"

namespace winnow::kernels {
namespace {

uint8_t Code(std::byte code) { return static_cast<uint8_t>(code); }

float Bf16Value(const std::byte* value) {
  uint16_t bits;
  std::memcpy(&bits, value, sizeof bits);
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

void DecodeMxFp4Head(int dim, const std::byte* head, float* values) {
  for (int d = 0; d < dim; d += 2) {
    const uint8_t pair = Code(head[d / 2]);
    const float scale = Ue8m0ToFloat(Code(head[dim / 2 + d / 32]));
    values[d] = kE2m1Values[pair & 0xf] * scale;
    values[d + 1] = kE2m1Values[pair >> 4] * scale;
  }
}

}  // namespace

size_t FloatQueryBytes(const ScoreQuery& query) {
  return sizeof(float) * query.rows * query.heads * query.dim;
}

void PrepareFloatQueryRow(const ScoreQuery& query, int row, std::byte* prepared) {
  const size_t row_values = size_t{1} * query.heads * query.dim;
  const size_t head_bytes = QueryBytes(query.format, query.dim);
  const size_t first_head = size_t{1} * row * query.heads;
  const std::byte* const codes = query.queries + first_head * head_bytes;
  float* const values = reinterpret_cast<float*>(prepared) + row * row_values;
  const float* const value_of = E4m3Values();
  switch (query.format) {
    case KeyFormat::kFp8E4M3:
      for (size_t i = 0; i < row_values; ++i) values[i] = value_of[Code(codes[i])];
      return;
    case KeyFormat::kMxFp4:
      for (int head = 0; head < query.heads; ++head) {
        DecodeMxFp4Head(query.dim, codes + head * head_bytes, values + head * query.dim);
      }
      return;
    case KeyFormat::kBf16:
      for (size_t i = 0; i < row_values; ++i) values[i] = Bf16Value(codes + 2 * i);
      return;
    case KeyFormat::kInt8:
      for (size_t i = 0; i < row_values; ++i) values[i] = static_cast<int8_t>(codes[i]);
      return;
  }
}

const float* E4m3Values() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values;
    for (int i = 0; i < 256; ++i) values[i] = DecodeE4m3(static_cast<uint8_t>(i));
    return values;
  }();
  return table.data();
}

const uint16_t* E4m3Bf16Values() {
  static const std::array<uint16_t, 256> table = [] {
    std::array<uint16_t, 256> values;
    for (int i = 0; i < 256; ++i) {
      values[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(E4m3Values()[i]) >> 16);
    }
    return values;
  }();
  return table.data();
}

float Ue8m0ToFloat(uint8_t code) {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values;
    for (int i = 0; i < 256; ++i) values[i] = DecodeUe8m0(static_cast<uint8_t>(i));
    return values;
  }();
  return table[code];
}

}  // namespace winnow::kernels
