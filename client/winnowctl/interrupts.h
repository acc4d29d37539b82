#ifndef WINNOW_CLIENT_WINNOWCTL_INTERRUPTS_H_
#define WINNOW_CLIENT_WINNOWCTL_INTERRUPTS_H_

#include <signal.h>

#include <iterator>

#include "absl/status/status.h"

namespace winnow::ctl {

// Lets a command clean up behind itself: while this lives, the first SIGINT, SIGTERM or SIGHUP is
// only noted, and ends the process when this goes. A second one ends it at once. One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // CANCELLED once a signal was noted. To be asked between calls.
  absl::Status Check() const;

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[std::size(kSignals)];
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_INTERRUPTS_H_
