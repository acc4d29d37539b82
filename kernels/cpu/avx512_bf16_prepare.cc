#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/avx512_bf16.h"
#include "kernels/cpu/mxfp4_query.h"
#include "kernels/cpu/prepare.h"

namespace winnow::kernels::avx512_bf16 {

size_t PreparedBytes(const ScoreQuery& query) {
  const size_t heads = size_t{1} * query.rows * query.heads;
  switch (query.format) {
    case KeyFormat::kFp8E4M3:
    case KeyFormat::kBf16:
      return heads * query.dim * sizeof(uint16_t);
    case KeyFormat::kInt8:
      return heads * query.dim;
    case KeyFormat::kMxFp4:
      return MxFp4Layout(query).bytes;
  }
  return 0;
}

void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared) {
  if (query.format == KeyFormat::kMxFp4) return PrepareMxFp4Row(query, row, prepared);
  const size_t values = size_t{1} * query.heads * query.dim;
  const std::byte* const from =
      query.queries + row * query.heads * QueryBytes(query.format, query.dim);
  if (query.format == KeyFormat::kInt8) {
    for (size_t i = 0; i < values; ++i) prepared[row * values + i] = from[i] ^ std::byte{0x80};
    return;
  }
  std::byte* const to = prepared + row * values * sizeof(uint16_t);
  if (query.format == KeyFormat::kBf16) {
    std::memcpy(to, from, values * sizeof(uint16_t));
    return;
  }
  const uint16_t* const value_of = E4m3Bf16Values();
  for (size_t i = 0; i < values; ++i) {
    std::memcpy(to + 2 * i, &value_of[static_cast<uint8_t>(from[i])], sizeof(uint16_t));
  }
}

}  // namespace winnow::kernels::avx512_bf16
