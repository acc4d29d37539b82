#ifndef WINNOW_SERVICES_SHARD_DEADLINE_WATCH_H_
#define WINNOW_SERVICES_SHARD_DEADLINE_WATCH_H_

#include <atomic>
#include <map>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace winnow::shard {

// DEADLINE_EXCEEDED DEADLINE once it has passed.
absl::Status CheckTime(absl::Time deadline);

// Raises flags when their deadlines pass, so that a kernel can stop early without reading a clock.
// Thread-safe.
class DeadlineWatch {
 public:
  DeadlineWatch();
  ~DeadlineWatch();
  DeadlineWatch(const DeadlineWatch&) = delete;
  DeadlineWatch& operator=(const DeadlineWatch&) = delete;

  // A flag under watch for as long as this lives.
  class Guard {
   public:
    Guard(DeadlineWatch* watch, absl::Time deadline);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    const std::atomic<bool>* passed() const { return &passed_; }

   private:
    DeadlineWatch* const watch_;
    std::atomic<bool> passed_ = false;
    std::multimap<absl::Time, std::atomic<bool>*>::iterator place_;
  };

 private:
  void Watch();
  bool StopsOrSooner() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time raised_until_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time next_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();  // what the thread sleeps until
  std::multimap<absl::Time, std::atomic<bool>*> flags_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_DEADLINE_WATCH_H_
