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

void Prepare(const ScoreQuery& query, std::byte* prepared) {
  const size_t values = size_t{1} * query.rows * query.heads * query.dim;
  switch (query.format) {
    case KeyFormat::kFp8E4M3:
      for (size_t i = 0; i < values; ++i) {
        const uint16_t value = E4m3ToBf16(static_cast<uint8_t>(query.queries[i]));
        std::memcpy(prepared + 2 * i, &value, sizeof value);
      }
      return;
    case KeyFormat::kBf16:
      std::memcpy(prepared, query.queries, 2 * values);
      return;
    case KeyFormat::kInt8:
      for (size_t i = 0; i < values; ++i) prepared[i] = query.queries[i] ^ std::byte{0x80};
      return;
    case KeyFormat::kMxFp4:
      return PrepareMxFp4(query, prepared);
  }
}

}  // namespace winnow::kernels::avx512_bf16
