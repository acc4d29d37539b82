#ifndef WINNOW_SERVICES_WINNOWD_EXECUTOR_H_
#define WINNOW_SERVICES_WINNOWD_EXECUTOR_H_

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace winnow {

// Threads that run tasks in the order they came. Thread-safe.
class Executor {
 public:
  // max_queued: tasks that may wait; a further Submit blocks, which holds back whoever sends them.
  Executor(int threads, size_t max_queued);

  // Runs what is queued, then stops. No Submit may be running or follow.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void Submit(absl::AnyInvocable<void()> task);

 private:
  void Work();
  bool HasTaskOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !queue_.empty();
  }
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return queue_.size() < max_queued_; }

  const size_t max_queued_;
  absl::Mutex mu_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_EXECUTOR_H_
