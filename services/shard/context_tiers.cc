#include <algorithm>

#include "services/shard/context.h"
#include "services/shard/deadline_watch.h"

namespace winnow::shard {
namespace {

// Bytes that the action moved or looked at.
uint64_t Moved(TierAction action, uint64_t resident_before, const Stripe& stripe, Plane plane) {
  if (action == TierAction::kVerify) return stripe.bytes(plane);
  const uint64_t resident = stripe.resident_bytes(plane);
  return std::max(resident, resident_before) - std::min(resident, resident_before);
}

}  // namespace

std::vector<std::shared_ptr<Stripe>> Context::Stripes(uint32_t first, uint32_t count) const {
  std::vector<std::shared_ptr<Stripe>> found;
  absl::MutexLock lock(&mu_);
  for (auto it = stripes_.lower_bound(first); it != stripes_.end() && it->first - first < count;
       ++it) {
    found.push_back(it->second);
  }
  return found;
}

std::shared_ptr<Stripe> Context::StripeFrom(uint32_t number) const {
  if (removed()) return nullptr;
  absl::MutexLock lock(&mu_);
  const auto it = stripes_.lower_bound(number);
  return it == stripes_.end() ? nullptr : it->second;
}

absl::StatusOr<TierResult> Context::Apply(const Tier& call, absl::Time deadline,
                                          const RestoreFn& restore) {
  TierResult result;
  const auto apply = [&](Stripe& stripe, Plane plane) {
    if (call.action == TierAction::kSpill) {
      return stripe.Spill(plane, UINT64_MAX, deadline, &result.corrupt).status();
    }
    if (call.action == TierAction::kRestore) return restore(stripe, plane);
    return stripe.Verify(plane, deadline, &result.corrupt);
  };
  std::shared_ptr<Stripe> stripe = StripeFrom(call.first_stripe);
  for (; stripe != nullptr && stripe->number() - call.first_stripe < call.stripes;
       stripe = StripeFrom(stripe->number() + 1)) {
    for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
      if (!(plane == Plane::kIndex ? call.index : call.kv)) continue;
      if (absl::Status status = CheckTime(deadline); !status.ok()) return status;
      const uint64_t before = stripe->resident_bytes(plane);
      if (absl::Status status = apply(*stripe, plane); !status.ok()) return status;
      (plane == Plane::kIndex ? result.index_bytes : result.kv_bytes) +=
          Moved(call.action, before, *stripe, plane);
    }
  }
  if (absl::Status status = CheckNotRemoved(); !status.ok()) return status;
  if (stripe != nullptr) result.next_stripe = stripe->number();
  return result;
}

absl::StatusOr<uint64_t> Context::Spill(Plane plane, uint64_t bytes, absl::Time deadline,
                                        std::vector<std::string>* damaged) {
  uint64_t freed = 0;
  for (std::shared_ptr<Stripe> stripe = StripeFrom(0); stripe != nullptr && freed < bytes;
       stripe = StripeFrom(stripe->number() + 1)) {
    absl::StatusOr<uint64_t> spilled = stripe->Spill(plane, bytes - freed, deadline, damaged);
    if (!spilled.ok()) return spilled.status();
    freed += *spilled;
  }
  return freed;
}

uint64_t Context::DropCopies(Plane plane, uint64_t bytes) {
  uint64_t dropped = 0;
  for (const std::shared_ptr<Stripe>& stripe : Stripes(0, UINT32_MAX)) {
    if (dropped >= bytes) break;
    dropped += stripe->DropCopies(plane, bytes - dropped);
  }
  return dropped;
}

uint64_t Context::mirrored_bytes(Plane plane) const {
  uint64_t mirrored = 0;
  for (const std::shared_ptr<Stripe>& stripe : Stripes(0, UINT32_MAX)) {
    mirrored += stripe->mirrored_bytes(plane);
  }
  return mirrored;
}

uint64_t Context::resident_bytes(Plane plane) const {
  uint64_t resident = 0;
  for (const std::shared_ptr<Stripe>& stripe : Stripes(0, UINT32_MAX)) {
    resident += stripe->resident_bytes(plane);
  }
  return resident;
}

}  // namespace winnow::shard
