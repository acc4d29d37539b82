#include "kernels/cpu/prepare.h"

#include <array>
#include <bit>

#include "kernels/reference/formats.h"

namespace winnow::kernels {

size_t FloatQueryBytes(const ScoreQuery& query) {
  return sizeof(float) * query.rows * query.heads * query.dim;
}

void PrepareFloatQuery(const ScoreQuery& query, std::byte* prepared) {
  auto* values = reinterpret_cast<float*>(prepared);
  const size_t query_bytes = QueryBytes(query.format, query.dim);
  for (int i = 0; i < query.rows * query.heads; ++i) {
    DecodeCodes(query.format, query.dim, query.queries + i * query_bytes,
                values + static_cast<size_t>(i) * query.dim);
  }
}

uint16_t E4m3ToBf16(uint8_t code) {
  static const std::array<uint16_t, 256> table = [] {
    std::array<uint16_t, 256> values;
    for (int i = 0; i < 256; ++i) {
      values[i] =
          static_cast<uint16_t>(std::bit_cast<uint32_t>(DecodeE4m3(static_cast<uint8_t>(i))) >> 16);
    }
    return values;
  }();
  return table[code];
}

float E4m3ToFloat(uint8_t code) {
  return std::bit_cast<float>(static_cast<uint32_t>(E4m3ToBf16(code)) << 16);
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
