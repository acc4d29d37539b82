#include "services/winnowd/streams.h"

#include <grpc/grpc.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "storage/error.h"

namespace winnow {
namespace {

// A stream that is ended may lose what is still being sent; after this long its last reply has
// left.
constexpr absl::Duration kIdleBeforeEnd = absl::Milliseconds(50);
// A transport that shuts down cuts off what it has not handed over yet: callers who were refused
// should be waiting by then. Not a multiple of the time after which they come again.
constexpr absl::Duration kQuietBeforeEnd = absl::Milliseconds(150);
// Some come again and again.
constexpr absl::Duration kLongestUnrest = absl::Seconds(1);
constexpr char kRefusal[] = "the server is stopping; try again, or at another one";

// While its handler waits in Read, which only this ends. ServerContext::TryCancel would do it with
// CANCELLED, as if the caller had.
void End(grpc::ServerContext* context) {
  grpc_call_cancel_with_status(context->c_call(), GRPC_STATUS_UNAVAILABLE, kRefusal, nullptr);
}

}  // namespace

absl::Status Streams::Refusal() {
  return Error(absl::StatusCode::kUnavailable, "DRAINING", kRefusal);
}

Streams::Call::Call(Streams* streams) : streams_(streams) {
  absl::MutexLock lock(&streams_->mu_);
  refused_ = streams_->Refuses();
  ++streams_->calls_;
}

Streams::Call::~Call() {
  absl::MutexLock lock(&streams_->mu_);
  --streams_->calls_;
}

Streams::Stream::Stream(Streams* streams, grpc::ServerContext* context)
    : streams_(streams), context_(context) {
  absl::MutexLock lock(&streams_->mu_);
  refused_ = streams_->Refuses();
  if (!refused_) streams_->activity_[context_] = {.idle_since = absl::Now()};
}

Streams::Stream::~Stream() {
  absl::MutexLock lock(&streams_->mu_);
  streams_->activity_.erase(context_);
}

bool Streams::Stream::BeginWork() {
  absl::MutexLock lock(&streams_->mu_);
  if (streams_->draining_) return false;
  ++streams_->activity_[context_].messages_at_work;
  return true;
}

bool Streams::Stream::EndWork() {
  absl::MutexLock lock(&streams_->mu_);
  Activity& activity = streams_->activity_[context_];
  --activity.messages_at_work;
  activity.idle_since = absl::Now();
  return !streams_->draining_;
}

bool Streams::Refuses() {
  if (draining_) last_refusal_ = absl::Now();
  return draining_;
}

void Streams::Drain(absl::Time deadline) {
  AwaitIdle(deadline);
  AwaitQuiet(std::min(deadline, absl::Now() + kLongestUnrest));
}

void Streams::AwaitIdle(absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  draining_ = true;
  last_refusal_ = absl::Now();
  while (!Idle() && absl::Now() < deadline) {
    const absl::Time end_before = absl::Now() - kIdleBeforeEnd;
    for (const auto& [context, activity] : activity_) {
      if (activity.messages_at_work == 0 && activity.idle_since <= end_before) End(context);
    }
    mu_.AwaitWithTimeout(absl::Condition(this, &Streams::Idle),
                         std::min(kIdleBeforeEnd, deadline - absl::Now()));
  }
}

void Streams::AwaitQuiet(absl::Time deadline) {
  const auto remaining = [&] {
    absl::MutexLock lock(&mu_);
    return std::min(last_refusal_ + kQuietBeforeEnd, deadline) - absl::Now();
  };
  for (absl::Duration wait = remaining(); wait > absl::ZeroDuration(); wait = remaining()) {
    absl::SleepFor(wait);
  }
}

}  // namespace winnow
