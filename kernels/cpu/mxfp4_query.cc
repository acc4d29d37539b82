#include "kernels/cpu/mxfp4_query.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/cpu/prepare.h"

namespace winnow::kernels {

MxFp4Layout::MxFp4Layout(const ScoreQuery& query) {
  const size_t heads = size_t{1} * query.rows * query.heads;
  const size_t scale_bytes = heads * (query.dim / 32) * sizeof(float);
  exponents_at = heads * query.dim;
  factors_at = exponents_at + scale_bytes;
  large_scales_at = factors_at + scale_bytes;
  bytes = large_scales_at + query.rows * sizeof(uint32_t);
}

void PrepareMxFp4Row(const ScoreQuery& query, int row, std::byte* prepared) {
  const int blocks = query.dim / 32;
  const size_t query_bytes = QueryBytes(query.format, query.dim);
  const MxFp4Layout layout(query);
  auto* exponents = reinterpret_cast<float*>(prepared + layout.exponents_at);
  auto* factors = reinterpret_cast<float*>(prepared + layout.factors_at);
  bool has_large_scales = false;
  for (int head = row * query.heads; head < (row + 1) * query.heads; ++head) {
    const auto* codes = reinterpret_cast<const uint8_t*>(query.queries) + head * query_bytes;
    std::byte* values = prepared + size_t{1} * head * query.dim;
    for (int d = 0; d < query.dim; ++d) {
      const float value = kE2m1Values[d % 2 == 0 ? codes[d / 2] & 0xf : codes[d / 2] >> 4];
      values[d] = static_cast<std::byte>(static_cast<int>(2 * value) + kE2m1Offset);
    }
    for (int b = 0; b < blocks; ++b) {
      // Both scales' bias, and one for each operand that was doubled.
      const int exponent = codes[query.dim / 2 + b] - 2 * 127 - 2;
      const float factor = std::ldexp(1.0f, exponent + 127 + kMxFp4Shift);
      exponents[head * blocks + b] = static_cast<float>(exponent);
      factors[head * blocks + b] = factor;
      has_large_scales |= !std::isfinite(factor);
    }
  }
  reinterpret_cast<uint32_t*>(prepared + layout.large_scales_at)[row] = has_large_scales ? 1 : 0;
}

bool HasLargeScales(const ScoreQuery& query, const std::byte* prepared, int row) {
  const std::byte* const large_scales = prepared + MxFp4Layout(query).large_scales_at;
  return reinterpret_cast<const uint32_t*>(large_scales)[row] != 0;
}

int CountLargeScales(const ScoreQuery& query, const std::byte* prepared) {
  int count = 0;
  for (int row = 0; row < query.rows; ++row) {
    count += static_cast<int>(HasLargeScales(query, prepared, row));
  }
  return count;
}

}  // namespace winnow::kernels
