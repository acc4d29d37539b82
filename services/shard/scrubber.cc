#include "services/shard/scrubber.h"

#include <utility>

#include "absl/time/clock.h"

namespace winnow::shard {
namespace {

// Between two rounds, so that a shard with little or nothing in it rests.
constexpr absl::Duration kBetweenRounds = absl::Seconds(60);
constexpr absl::Duration kReadTimeout = absl::Seconds(30);

}  // namespace

Scrubber::Scrubber(uint64_t bytes_per_second, ListContextsFn contexts, ReportDamageFn report)
    : bytes_per_second_(bytes_per_second),
      contexts_(std::move(contexts)),
      report_(std::move(report)) {
  if (bytes_per_second_ != 0) thread_ = std::thread([this] { Run(); });
}

Scrubber::~Scrubber() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool Scrubber::Sleep(absl::Duration duration) {
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&stopping_), duration);
}

std::vector<std::string> Scrubber::FindDamage(Stripe& stripe, absl::Time deadline) {
  std::vector<std::string> damaged;
  for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
    stripe.Verify(plane, deadline, &damaged).IgnoreError();
  }
  return damaged;
}

void Scrubber::Run() {
  while (!Sleep(kBetweenRounds)) {
    for (const std::shared_ptr<Context>& context : contexts_()) {
      for (const std::shared_ptr<Stripe>& stripe : context->Stripes(0, UINT32_MAX)) {
        for (const std::string& damage : FindDamage(*stripe, absl::Now() + kReadTimeout)) {
          report_(context->id(), damage);
        }
        const uint64_t bytes = stripe->bytes(Plane::kIndex) + stripe->bytes(Plane::kKv);
        const double seconds = static_cast<double>(bytes) / static_cast<double>(bytes_per_second_);
        if (Sleep(absl::Seconds(seconds))) return;
      }
    }
  }
}

}  // namespace winnow::shard
