#ifndef WINNOW_SERVICES_SHARD_DEVICE_TIER_H_
#define WINNOW_SERVICES_SHARD_DEVICE_TIER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/shard/context.h"
#include "services/shard/spiller.h"
#include "storage/page_mirror.h"
#include "storage/residency.h"

namespace winnow::shard {

struct DeviceTierOptions {
  // A context that was used within this time keeps its copies, so that contexts in use which do not
  // all fit do not push each other out in turn: what has no room is read from host memory.
  absl::Duration idle = absl::Seconds(10);
  // After a round in which a context found no room for all its pages.
  absl::Duration pause = absl::Milliseconds(500);
  std::function<absl::Time()> now = absl::Now;
};

// Keeps the copies of pages in a device's memory to the contexts in use: those of idle ones make
// room, their KV rows first, then their index keys, the least recently used context first, and
// never a pinned one's. Works in a thread of its own; without a mirror there is none, and nothing
// is ever done. Of shards that share a device each makes room with its own contexts only.
// Thread-safe.
class DeviceTier {
 public:
  // The mirror is borrowed and may be null. `contexts` lists those that may have copies.
  DeviceTier(PageMirror* mirror, ListContextsFn contexts, DeviceTierOptions options = {});
  // Waits for the stripe whose copies are being made.
  ~DeviceTier();

  // To be called when pages were taken: makes room ahead if the device is nearly full.
  void Grew();
  // To be called when a query met pages of the context without copies: gives it copies, as far as
  // there is room or some can be made.
  void Wants(const std::shared_ptr<Context>& context);

  // The same on the caller's thread, of a mirror that is there. DropAhead returns the bytes of the
  // copies that were let go of; Promote, whether all pages in memory have copies now, or need none
  // as the context is gone.
  uint64_t DropAhead();
  bool Promote(Context& context);

 private:
  void Run();
  bool PromotePlane(Context& context, Plane plane);
  bool PromoteStripe(Context& context, Stripe& stripe, Plane plane);
  // Whether so much more leaves the plane's share of the device free.
  bool HasRoom(uint64_t bytes, Plane plane) const;
  // For copies of the plane of that context. Returns the bytes of the copies that were let go of.
  uint64_t MakeRoom(uint64_t bytes, Context& context, Plane plane);
  // Of contexts that were last used before `used_before`.
  uint64_t DropSome(uint64_t bytes, absl::Time used_before);
  bool StopsOrHasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || grew_ || !wanted_.empty();
  }
  bool stopping() const {
    absl::MutexLock lock(&mu_);
    return stopping_;
  }

  PageMirror* const mirror_;
  const ListContextsFn contexts_;
  const DeviceTierOptions options_;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool grew_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::weak_ptr<Context>> wanted_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_DEVICE_TIER_H_
