#include "services/shard/gather_limit.h"

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow::shard {

absl::Status CheckGatherBytes(uint64_t rows, uint64_t row_bytes) {
  if (rows <= kMaxGatherBytes / row_bytes) return absl::OkStatus();
  return Error(
      absl::StatusCode::kResourceExhausted, "GATHER_TOO_LARGE",
      absl::StrCat(rows, " KV rows of ", row_bytes, " bytes are more than the ", kMaxGatherBytes,
                   " bytes of an answer; gather fewer query rows in a call"));
}

}  // namespace winnow::shard
