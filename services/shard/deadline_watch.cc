#include "services/shard/deadline_watch.h"

#include "absl/time/clock.h"
#include "storage/error.h"

namespace winnow::shard {

absl::Status CheckTime(absl::Time deadline) {
  if (absl::Now() < deadline) return absl::OkStatus();
  return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
               "the deadline passed before the shard had its answer");
}

DeadlineWatch::DeadlineWatch() : thread_([this] { Watch(); }) {}

DeadlineWatch::~DeadlineWatch() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

bool DeadlineWatch::StopsOrSooner() const {
  if (stopping_) return true;
  const auto first = flags_.upper_bound(raised_until_);
  return first != flags_.end() && first->first < next_;
}

void DeadlineWatch::Watch() {
  absl::MutexLock lock(&mu_);
  while (!stopping_) {
    raised_until_ = absl::Now();
    const auto first = flags_.upper_bound(raised_until_);
    for (auto it = flags_.begin(); it != first; ++it) {
      it->second->store(true, std::memory_order_relaxed);
    }
    next_ = first == flags_.end() ? absl::InfiniteFuture() : first->first;
    mu_.AwaitWithDeadline(absl::Condition(this, &DeadlineWatch::StopsOrSooner), next_);
  }
}

DeadlineWatch::Guard::Guard(DeadlineWatch* watch, absl::Time deadline) : watch_(watch) {
  absl::MutexLock lock(&watch_->mu_);
  if (deadline <= watch_->raised_until_) passed_ = true;
  place_ = watch_->flags_.emplace(deadline, &passed_);
}

DeadlineWatch::Guard::~Guard() {
  absl::MutexLock lock(&watch_->mu_);
  watch_->flags_.erase(place_);
}

}  // namespace winnow::shard
