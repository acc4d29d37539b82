#include "services/shard/restorer.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "services/shard/start_threads.h"

namespace winnow::shard {
namespace {

// A context that was used within this time keeps its memory against one that comes back.
constexpr absl::Duration kIdle = absl::Seconds(10);
// After a plane found no room, so that a context which does not fit is not tried at each query.
constexpr absl::Duration kPause = absl::Milliseconds(500);
constexpr size_t kReaders = 4;
constexpr absl::Duration kReadTimeout = absl::Seconds(30);
// Restoring leaves the spiller its slack: it would undo at once what goes beyond.
constexpr double kFillUpTo = 0.94;

}  // namespace

Restorer::Restorer(PageArena* arena, Spiller* spiller) : arena_(*arena), spiller_(*spiller) {
  thread_ = std::thread([this] { Run(); });
}

Restorer::~Restorer() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void Restorer::Wants(const std::shared_ptr<Context>& context) {
  absl::MutexLock lock(&mu_);
  const auto is_same = [&context](const auto& wanted) { return wanted.lock() == context; };
  if (std::ranges::none_of(wanted_, is_same)) wanted_.push_back(context);
}

absl::Status Restorer::Restore(Stripe& stripe, Plane plane, absl::Time room_deadline,
                               absl::Time deadline, const SpillLimits& limits) {
  const uint64_t budget = arena_.budget_bytes();
  const auto slack = static_cast<uint64_t>((1 - kFillUpTo) * static_cast<double>(budget));
  const size_t entry_bytes = EntryBytes(*stripe.context()->profile, plane);
  const std::vector<int> layers = stripe.ColdLayers(plane);
  std::atomic<size_t> next = 0;
  absl::Mutex mu;
  absl::Status first_failure;
  const auto restore = [&] {
    for (size_t i = next++; i < layers.size(); i = next++) {
      const uint64_t needed = stripe.entries(layers[i]) * entry_bytes + slack;
      absl::Status status = spiller_.MakeRoom(needed, room_deadline, limits);
      if (status.ok()) status = stripe.Restore(layers[i], plane, deadline);
      if (status.ok()) continue;
      next = layers.size();
      absl::MutexLock lock(&mu);
      first_failure.Update(status);
    }
  };
  // One reader waits for the disk most of its time. This thread is one, too.
  const size_t others = std::max<size_t>(1, std::min(kReaders, layers.size())) - 1;
  std::vector<std::thread> readers = StartThreads(others, restore);
  restore();
  for (std::thread& reader : readers) reader.join();
  absl::MutexLock lock(&mu);
  return first_failure;
}

bool Restorer::RestorePlane(const Context& context, Plane plane) {
  for (std::shared_ptr<Stripe> stripe = context.StripeFrom(0); stripe != nullptr;
       stripe = context.StripeFrom(stripe->number() + 1)) {
    if (stopping()) return false;
    const absl::Time now = absl::Now();
    SpillLimits limits = {.index_used_before = now - kIdle, .kv_used_before = now - kIdle};
    if (plane == Plane::kIndex) limits.kv_used_before = context.last_used() + absl::Seconds(1);
    if (!Restore(*stripe, plane, now, now + kReadTimeout, limits).ok()) return false;
  }
  return true;
}

void Restorer::Run() {
  while (true) {
    std::shared_ptr<Context> context;
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &Restorer::StopsOrWanted));
      if (stopping_) return;
      // Taken off the list first: a query that meets what is spilled meanwhile asks again.
      context = wanted_.front().lock();
      wanted_.pop_front();
    }
    if (context == nullptr) continue;
    const bool complete =
        RestorePlane(*context, Plane::kIndex) && RestorePlane(*context, Plane::kKv);
    context.reset();
    if (complete) continue;
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&stopping_), kPause);
  }
}

}  // namespace winnow::shard
