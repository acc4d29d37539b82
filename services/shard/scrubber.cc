#include "services/shard/scrubber.h"

#include <utility>

#include "absl/time/clock.h"

namespace winnow::shard {
namespace {

constexpr absl::Duration kReadTimeout = absl::Seconds(30);

}  // namespace

Scrubber::Scrubber(uint64_t bytes_per_second, ListContextsFn contexts, ReportDamageFn report,
                   absl::Duration between_rounds)
    : bytes_per_second_(bytes_per_second),
      between_rounds_(between_rounds),
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

std::optional<uint64_t> Scrubber::VerifyNext(const std::weak_ptr<Context>& held,
                                             uint32_t* stripe_number) {
  const std::shared_ptr<Context> context = held.lock();
  const std::shared_ptr<Stripe> stripe =
      context == nullptr ? nullptr : context->StripeFrom(*stripe_number);
  if (stripe == nullptr) return std::nullopt;
  for (const std::string& damage : FindDamage(*stripe, absl::Now() + kReadTimeout)) {
    report_(context->id(), damage);
  }
  *stripe_number = stripe->number() + 1;
  return stripe->bytes(Plane::kIndex) + stripe->bytes(Plane::kKv);
}

bool Scrubber::VerifyAll() {
  // A round may take days: it must not keep what is deleted meanwhile.
  std::vector<std::weak_ptr<Context>> round;
  for (const std::shared_ptr<Context>& context : contexts_()) round.push_back(context);
  for (const std::weak_ptr<Context>& context : round) {
    uint32_t next_stripe = 0;
    while (const std::optional<uint64_t> bytes = VerifyNext(context, &next_stripe)) {
      const double seconds = static_cast<double>(*bytes) / static_cast<double>(bytes_per_second_);
      if (Sleep(absl::Seconds(seconds))) return false;
    }
  }
  return true;
}

void Scrubber::Run() {
  while (!Sleep(between_rounds_) && VerifyAll()) {
  }
}

}  // namespace winnow::shard
