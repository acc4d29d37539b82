#ifndef WINNOW_SERVICES_SHARD_GATHER_LIMIT_H_
#define WINNOW_SERVICES_SHARD_GATHER_LIMIT_H_

#include <cstdint>

#include "absl/status/status.h"

namespace winnow::shard {

// KV rows of one answer: a message must stay below 2 GiB, or gRPC ends the process.
inline constexpr uint64_t kMaxGatherBytes = uint64_t{1} << 30;

// RESOURCE_EXHAUSTED GATHER_TOO_LARGE for more than that.
absl::Status CheckGatherBytes(uint64_t rows, uint64_t row_bytes);

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_GATHER_LIMIT_H_
