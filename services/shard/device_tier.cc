#include "services/shard/device_tier.h"

#include <algorithm>
#include <utility>

namespace winnow::shard {
namespace {

// Room is made ahead above the first share of the device and up to the second.
constexpr double kHighWater = 0.95;
constexpr double kLowWater = 0.90;
// KV rows are brought up to here, so that pages that are appended find room for their copies.
constexpr double kFillUpTo = 0.94;
// Of the device, what a context without room has dropped at least.
constexpr uint64_t kDropShare = 64;

uint64_t ShareOf(double share, uint64_t capacity_bytes) {
  return static_cast<uint64_t>(share * static_cast<double>(capacity_bytes));
}

}  // namespace

DeviceTier::DeviceTier(PageMirror* mirror, ListContextsFn contexts, DeviceTierOptions options)
    : mirror_(mirror), contexts_(std::move(contexts)), options_(std::move(options)) {
  if (mirror_ != nullptr) thread_ = std::thread([this] { Run(); });
}

DeviceTier::~DeviceTier() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void DeviceTier::Grew() {
  if (mirror_ == nullptr) return;
  const PageMirror::Usage usage = mirror_->usage();
  if (usage.used_bytes <= ShareOf(kHighWater, usage.capacity_bytes)) return;
  absl::MutexLock lock(&mu_);
  grew_ = true;
}

void DeviceTier::Wants(const std::shared_ptr<Context>& context) {
  if (mirror_ == nullptr) return;
  absl::MutexLock lock(&mu_);
  const auto is_same = [&context](const auto& wanted) { return wanted.lock() == context; };
  if (std::ranges::none_of(wanted_, is_same)) wanted_.push_back(context);
}

uint64_t DeviceTier::DropSome(uint64_t bytes, absl::Time used_before) {
  const std::vector<std::shared_ptr<Context>> contexts = contexts_();
  std::vector<ContextResidency> residencies;
  for (const std::shared_ptr<Context>& context : contexts) {
    ContextResidency& residency = residencies.emplace_back(
        ContextResidency{.last_used = context->last_used(), .pinned = context->pinned()});
    // Its pages are counted only where that can matter.
    if (residency.pinned || residency.last_used >= used_before) continue;
    residency.index_bytes = context->mirrored_bytes(Plane::kIndex);
    residency.kv_bytes = context->mirrored_bytes(Plane::kKv);
  }
  const SpillLimits limits = {.index_used_before = used_before, .kv_used_before = used_before};
  uint64_t dropped = 0;
  for (const Victim& victim : ChooseVictims(residencies, bytes, limits)) {
    dropped += contexts[victim.context]->DropCopies(victim.plane, victim.bytes);
  }
  return dropped;
}

uint64_t DeviceTier::DropAhead() {
  const PageMirror::Usage usage = mirror_->usage();
  const uint64_t low = ShareOf(kLowWater, usage.capacity_bytes);
  if (usage.used_bytes <= ShareOf(kHighWater, usage.capacity_bytes)) return 0;
  return DropSome(usage.used_bytes - low, options_.now() - options_.idle);
}

bool DeviceTier::HasRoom(uint64_t bytes, Plane plane) const {
  const PageMirror::Usage usage = mirror_->usage();
  const double share = plane == Plane::kKv ? kFillUpTo : 1.0;
  return usage.used_bytes + bytes <= ShareOf(share, usage.capacity_bytes);
}

uint64_t DeviceTier::MakeRoom(uint64_t bytes, Context& context, Plane plane) {
  bytes = std::max(bytes, mirror_->usage().capacity_bytes / kDropShare);
  const absl::Time idle_before = options_.now() - options_.idle;
  const uint64_t dropped = DropSome(bytes, std::min(idle_before, context.last_used()));
  if (dropped != 0 || plane == Plane::kKv || context.pinned()) return dropped;
  // A query reads all of the keys and few of the rows: a context's own rows make room for them.
  return context.DropCopies(Plane::kKv, bytes);
}

bool DeviceTier::PromoteStripe(Context& context, Stripe& stripe, Plane plane) {
  while (!stopping()) {
    const uint64_t needed = stripe.unmirrored_bytes(plane);
    if (needed == 0) return true;
    if (HasRoom(needed, plane)) {
      const absl::Status status = stripe.AddCopies(plane);
      if (status.code() != absl::StatusCode::kResourceExhausted) return status.ok();
    }
    // Even what has room in all may find none on a device that keeps sizes apart; so it is tried
    // again until nothing is left to drop.
    if (MakeRoom(needed, context, plane) == 0) return false;
  }
  return false;
}

bool DeviceTier::PromotePlane(Context& context, Plane plane) {
  for (std::shared_ptr<Stripe> stripe = context.StripeFrom(0);
       stripe != nullptr && !context.expired(); stripe = context.StripeFrom(stripe->number() + 1)) {
    if (!PromoteStripe(context, *stripe, plane)) return false;
  }
  return true;
}

bool DeviceTier::Promote(Context& context) {
  return PromotePlane(context, Plane::kIndex) && PromotePlane(context, Plane::kKv);
}

void DeviceTier::Run() {
  while (true) {
    std::vector<std::weak_ptr<Context>> wanted;
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &DeviceTier::StopsOrHasWork));
      if (stopping_) return;
      // Taken off the list first: a query that meets what is dropped meanwhile asks again.
      wanted.swap(wanted_);
      grew_ = false;
    }
    DropAhead();
    bool complete = true;
    for (const std::weak_ptr<Context>& held : wanted) {
      const std::shared_ptr<Context> context = held.lock();
      if (context != nullptr) complete &= Promote(*context);
    }
    const PageMirror::Usage usage = mirror_->usage();
    const bool full = usage.used_bytes > ShareOf(kHighWater, usage.capacity_bytes);
    if (complete && !full) continue;
    // Neither appends nor queries make it look for room again and again where there is none.
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&stopping_), options_.pause);
  }
}

}  // namespace winnow::shard
