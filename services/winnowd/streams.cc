#include "services/winnowd/streams.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace winnow {
namespace {

// A cancelled stream may lose what is still being sent; after this long its last reply has left.
constexpr absl::Duration kIdleBeforeCancel = absl::Milliseconds(50);

}  // namespace

Streams::Stream::Stream(Streams* streams, grpc::ServerContext* context)
    : streams_(streams), context_(context) {
  absl::MutexLock lock(&streams_->mu_);
  streams_->activity_[context_] = {.idle_since = absl::Now()};
}

Streams::Stream::~Stream() {
  absl::MutexLock lock(&streams_->mu_);
  streams_->activity_.erase(context_);
}

void Streams::Stream::BeginWork() {
  absl::MutexLock lock(&streams_->mu_);
  ++streams_->activity_[context_].messages_at_work;
}

bool Streams::Stream::EndWork() {
  absl::MutexLock lock(&streams_->mu_);
  Activity& activity = streams_->activity_[context_];
  --activity.messages_at_work;
  activity.idle_since = absl::Now();
  return !streams_->draining_;
}

void Streams::Drain(absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  draining_ = true;
  while (!activity_.empty() && absl::Now() < deadline) {
    const absl::Time cancel_before = absl::Now() - kIdleBeforeCancel;
    for (const auto& [context, activity] : activity_) {
      if (activity.messages_at_work == 0 && activity.idle_since <= cancel_before) {
        context->TryCancel();
      }
    }
    mu_.AwaitWithTimeout(absl::Condition(this, &Streams::Empty),
                         std::min(kIdleBeforeCancel, deadline - absl::Now()));
  }
}

}  // namespace winnow
