#ifndef WINNOW_SERVICES_WINNOWD_STOP_SIGNAL_H_
#define WINNOW_SERVICES_WINNOWD_STOP_SIGNAL_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace winnow {

// SIGTERM and SIGINT. Thread-safe.
class StopSignal {
 public:
  // Keeps both from ending the process. Before any thread is started, for those inherit it.
  static void Block();

  // Takes them from now on: one ends the process at once, with exit code 0, as long as there is
  // nothing to drain; what is on disk is read again by the next start. Made once, never destroyed.
  static StopSignal& Watch();

  // From now on the first one is what Wait() returns.
  void BeginServing();
  // Waits for the first one, after which another ends the process at once.
  int Wait();

 private:
  StopSignal() = default;
  void Take();
  bool HasCome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return number_.has_value(); }

  absl::Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<int> number_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_STOP_SIGNAL_H_
