#ifndef WINNOW_STORAGE_RESIDENCY_H_
#define WINNOW_STORAGE_RESIDENCY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/time/time.h"
#include "storage/page_set.h"

namespace winnow {

// How a shard's memory budget is divided where there is a disk behind it.
struct MemorySplit {
  size_t page_bytes = 0;  // 0 for no limit
  size_t segment_bytes = 0;
  size_t row_cache_bytes = 0;
  size_t block_cache_bytes = 0;
};
// budget_bytes: 0 for no limit.
MemorySplit SplitBudget(size_t budget_bytes);

// What a context has in memory.
struct ContextResidency {
  absl::Time last_used;
  bool pinned = false;
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
};

// Which planes may be spilled: those of contexts that were last used before these times.
struct SpillLimits {
  absl::Time index_used_before = absl::InfiniteFuture();
  absl::Time kv_used_before = absl::InfiniteFuture();
};

struct Victim {
  size_t context = 0;  // in the order given
  Plane plane = Plane::kKv;
  uint64_t bytes = 0;
};

// What to spill to free `bytes`, or as much of that as there is: the KV planes of all contexts
// first, then their index planes, the least recently used context first; never of one that is
// pinned.
std::vector<Victim> ChooseVictims(std::span<const ContextResidency> contexts, uint64_t bytes,
                                  const SpillLimits& limits = {});

}  // namespace winnow

#endif  // WINNOW_STORAGE_RESIDENCY_H_
