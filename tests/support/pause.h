#ifndef WINNOW_TESTS_SUPPORT_PAUSE_H_
#define WINNOW_TESTS_SUPPORT_PAUSE_H_

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/failpoint.h"

namespace winnow::testing {

// Stops the first thread that comes to a failpoint, until it is resumed. One at a time.
class Pause {
 public:
  explicit Pause(std::string name) : name_(std::move(name)) {
    current_ = this;
    failpoint_hook = &Pass;
  }
  ~Pause() {
    Resume();
    failpoint_hook = nullptr;
  }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

  // Whether one came within a while.
  bool AwaitArrival() {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&arrived_), absl::Seconds(30));
  }
  void Resume() {
    absl::MutexLock lock(&mu_);
    resumed_ = true;
  }

 private:
  static void Pass(std::string_view name) {
    if (name == current_->name_) current_->Stop();
  }
  void Stop() {
    absl::MutexLock lock(&mu_);
    if (arrived_) return;
    arrived_ = true;
    mu_.Await(absl::Condition(&resumed_));
  }

  static inline Pause* current_ = nullptr;
  const std::string name_;
  absl::Mutex mu_;
  bool arrived_ ABSL_GUARDED_BY(mu_) = false;
  bool resumed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SUPPORT_PAUSE_H_
