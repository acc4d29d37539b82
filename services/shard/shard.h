#ifndef WINNOW_SERVICES_SHARD_SHARD_H_
#define WINNOW_SERVICES_SHARD_SHARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/shard/messages.h"

namespace winnow::shard {

class Compute;

struct ShardOptions {
  // Pages, write buffers and caches; 0 for no limit.
  size_t memory_budget_bytes = 0;
  // Selections kept for later attention: how many, and for how long after their last use.
  size_t max_selections = 4096;
  absl::Duration selection_ttl = absl::Seconds(60);
  // Where pages have copies on a device: a context that was used within this time keeps its own.
  absl::Duration device_idle = absl::Seconds(10);

  // Where contexts are kept; empty for memory alone.
  std::string data_dir;
  // Of contexts that ask for none; kDefault is kLogged with a data directory, kMemory without.
  Durability default_durability = Durability::kDefault;
  uint64_t spill_bytes_per_second = 0;  // writing to disk in the background; 0 for no limit
  uint64_t scrub_bytes_per_second = 0;  // verifying in the background; 0 for none
  // Told of each damaged page that is found, on any thread.
  std::function<void(const std::string& context_id, const std::string& damage)> on_damage;
};

// What was found in the data directory.
struct RecoveryReport {
  uint64_t contexts = 0;
  uint64_t entries = 0;           // over all contexts and layers
  uint64_t entries_from_log = 0;  // of those, that were in the log alone
  absl::Duration duration;
};

// One shard: contexts in memory and on disk, scored and attended over by `compute`. Thread-safe;
// calls run on the caller's thread.
class Shard {
 public:
  // compute is borrowed and must outlive the shard; shards may share it. Errors of
  // EntryStore::Open; INVALID_ARGUMENT for a default durability that needs a data directory.
  static absl::StatusOr<std::unique_ptr<Shard>> Open(const ShardOptions& options, Compute* compute);
  // Writes out what is in the log. No call may be running.
  ~Shard();

  // Answers one call; the result's alternative is the call's own (Done where it has none). Every
  // count, layer, id and size in the call is checked against the context's profile.
  // DEADLINE_EXCEEDED when `deadline` passes before the answer is ready. NOT_FOUND UNKNOWN_CONTEXT,
  // SELECTION_EXPIRED; FAILED_PRECONDITION CONTEXT_SEALED, NO_DATA_DIR; DATA_LOSS MISSING_STRIPES
  // for a stripe that is asked for and not held in full; RESOURCE_EXHAUSTED MEMORY_BUDGET; others
  // as on the messages and of EntryStore.
  absl::StatusOr<Result> Handle(const Call& call, absl::Time deadline);

  const RecoveryReport& recovery() const;

 private:
  class Impl;
  explicit Shard(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SHARD_H_
