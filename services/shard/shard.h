#ifndef WINNOW_SERVICES_SHARD_SHARD_H_
#define WINNOW_SERVICES_SHARD_SHARD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/shard/messages.h"

namespace winnow::shard {

class Compute;

struct ShardOptions {
  // Pages held at once; 0 for no limit.
  size_t memory_budget_bytes = 0;
  // Selections kept for later attention: how many, and for how long after their last use.
  size_t max_selections = 4096;
  absl::Duration selection_ttl = absl::Seconds(60);
};

// One shard: contexts in memory, scored and attended over by `compute`. Thread-safe; calls run on
// the caller's thread.
class Shard {
 public:
  // compute is borrowed and must outlive the shard; shards may share it.
  Shard(const ShardOptions& options, Compute* compute);
  ~Shard();

  // Answers one call; the result's alternative is the call's own (Done where it has none). Every
  // count, layer, id and size in the call is checked against the context's profile.
  // DEADLINE_EXCEEDED when `deadline` passes before the answer is ready. NOT_FOUND UNKNOWN_CONTEXT,
  // SELECTION_EXPIRED; FAILED_PRECONDITION CONTEXT_SEALED; DATA_LOSS MISSING_STRIPES for a stripe
  // that is asked for and not held in full; others as on the messages.
  absl::StatusOr<Result> Handle(const Call& call, absl::Time deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SHARD_H_
