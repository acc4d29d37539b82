#include "services/winnowd/repeat_limit.h"

#include <utility>

namespace winnow {

std::optional<uint64_t> RepeatLimit::Pass(const std::string& key, absl::Time now) {
  absl::MutexLock lock(&mu_);
  if (seen_.size() >= max_keys_ && !seen_.contains(key)) seen_.clear();
  Seen& seen = seen_[key];
  if (now < seen.next) {
    ++seen.held_back;
    return std::nullopt;
  }
  seen.next = now + interval_;
  return std::exchange(seen.held_back, 0);
}

}  // namespace winnow
