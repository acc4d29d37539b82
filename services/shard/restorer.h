#ifndef WINNOW_SERVICES_SHARD_RESTORER_H_
#define WINNOW_SERVICES_SHARD_RESTORER_H_

#include <deque>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "services/shard/context.h"
#include "services/shard/spiller.h"

namespace winnow::shard {

// Brings contexts that are in use again back into memory, in the background: their index planes
// first, and as much as there is room for. Index pages push KV rows of contexts that were used no
// later out; besides, only what has been idle for a while makes room. Thread-safe.
class Restorer {
 public:
  // The arena and the spiller are borrowed.
  Restorer(PageArena* arena, Spiller* spiller);
  ~Restorer();

  // To be called when a query met cold pages of the context.
  void Wants(const std::shared_ptr<Context>& context);

  // Restores one stripe's plane layer by layer, making room as `limits` allow; waits for room until
  // `room_deadline`.
  absl::Status Restore(Stripe& stripe, Plane plane, absl::Time room_deadline, absl::Time deadline,
                       const SpillLimits& limits);

 private:
  void Run();
  // False if there is no more room. What is removed meanwhile needs no more.
  bool RestorePlane(const Context& context, Plane plane);
  bool StopsOrWanted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !wanted_.empty();
  }
  bool stopping() const {
    absl::MutexLock lock(&mu_);
    return stopping_;
  }

  PageArena& arena_;
  Spiller& spiller_;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::weak_ptr<Context>> wanted_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_RESTORER_H_
