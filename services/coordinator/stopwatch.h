#ifndef WINNOW_SERVICES_COORDINATOR_STOPWATCH_H_
#define WINNOW_SERVICES_COORDINATOR_STOPWATCH_H_

#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace winnow::coordinator {

// Microseconds of consecutive stages.
class Stopwatch {
 public:
  // Since construction or the last Lap().
  uint64_t Lap() {
    const absl::Time now = absl::Now();
    const absl::Duration stage = now - last_;
    last_ = now;
    return static_cast<uint64_t>(absl::ToInt64Microseconds(stage));
  }

 private:
  absl::Time last_ = absl::Now();
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_STOPWATCH_H_
