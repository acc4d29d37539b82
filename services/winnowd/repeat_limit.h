#ifndef WINNOW_SERVICES_WINNOWD_REPEAT_LIMIT_H_
#define WINNOW_SERVICES_WINNOWD_REPEAT_LIMIT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace winnow {

// Lets one of equal events through in each interval. Thread-safe.
class RepeatLimit {
 public:
  // Of more than max_keys different events within an interval, some come through early.
  RepeatLimit(absl::Duration interval, size_t max_keys)
      : interval_(interval), max_keys_(max_keys) {}

  // How many equal ones were held back since the last one that came through; nothing if this one is
  // held back too.
  std::optional<uint64_t> Pass(const std::string& key, absl::Time now);

 private:
  struct Seen {
    absl::Time next;
    uint64_t held_back = 0;
  };

  const absl::Duration interval_;
  const size_t max_keys_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, Seen> seen_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_REPEAT_LIMIT_H_
