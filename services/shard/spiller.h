#ifndef WINNOW_SERVICES_SHARD_SPILLER_H_
#define WINNOW_SERVICES_SHARD_SPILLER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/shard/context.h"
#include "storage/page_arena.h"
#include "storage/residency.h"

namespace winnow::shard {

using ListContextsFn = std::function<std::vector<std::shared_ptr<Context>>()>;
// Told of each damaged page, on the thread that found it.
using ReportDamageFn =
    std::function<void(const std::string& context_id, const std::string& damage)>;

// Keeps a shard's pages within their budget by spilling: ahead of need in a thread of its own, and
// on the caller's thread where that was not enough. Thread-safe.
class Spiller {
 public:
  // The arena is borrowed. `contexts` lists those that may be spilled; nothing is ever spilled
  // where `can_spill` is false. `report` is told of what cannot be spilled since it is damaged.
  Spiller(PageArena* arena, bool can_spill, ListContextsFn contexts, ReportDamageFn report);
  ~Spiller();

  // Waits until `bytes` of the budget are free, spilling what `limits` allow: at most until the
  // deadline, or a second if that is sooner. A deadline that has passed makes it spill once, unless
  // another one does. RESOURCE_EXHAUSTED MEMORY_BUDGET (facts "needed_bytes", "free_bytes"); errors
  // of EntryStore.
  absl::Status MakeRoom(uint64_t bytes, absl::Time deadline, const SpillLimits& limits = {});

  // To be called when pages were taken.
  void Grew();

 private:
  // One at a time chooses and spills. False if the turn did not come until the deadline.
  bool BeginTurn(absl::Time deadline);
  void EndTurn();
  // In a turn, until `bytes` are free or will be; nothing if the turn does not come.
  absl::Status SpillForRoom(uint64_t bytes, const SpillLimits& limits, absl::Time deadline);
  // Returns the bytes that are free now or will be, once the last reader lets go: less than `bytes`
  // where no more may be spilled, or the deadline came.
  absl::StatusOr<uint64_t> SpillSome(uint64_t bytes, const SpillLimits& limits,
                                     absl::Time deadline);
  absl::StatusOr<uint64_t> SpillVictim(Context& context, const Victim& victim, absl::Time deadline);
  absl::Status SpillToLowWater();
  void SpillAhead();
  bool NobodySpills() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !spilling_; }
  bool StopsOrGrew() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopping_ || grew_; }

  PageArena& arena_;
  const bool can_spill_;
  const ListContextsFn contexts_;
  const ReportDamageFn report_;

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool grew_ ABSL_GUARDED_BY(mu_) = false;
  bool spilling_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SPILLER_H_
