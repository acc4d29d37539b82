#ifndef WINNOW_TESTS_SUPPORT_EVENTUALLY_H_
#define WINNOW_TESTS_SUPPORT_EVENTUALLY_H_

#include <functional>

#include "absl/time/clock.h"

namespace winnow::testing {

// For what happens on another thread: whether it is so within a minute.
inline bool Eventually(const std::function<bool()>& is_so) {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!is_so()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SUPPORT_EVENTUALLY_H_
