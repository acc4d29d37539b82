#include <utility>

#include "absl/strings/str_cat.h"
#include "services/shard/shard_impl.h"
#include "storage/version.h"

namespace winnow::shard {

absl::StatusOr<Result> Shard::Impl::Run(const Ping&, absl::Time) {
  PingResult result{.version = kVersion,
                    .threads = static_cast<uint32_t>(compute_.threads()),
                    .kernels = compute_.name(),
                    .memory_bytes = arena_.used_bytes(),
                    .memory_budget_bytes = options_.memory_budget_bytes};
  if (store_ != nullptr) {
    const StoreUsage usage = store_->usage();
    result.memory_bytes += usage.memory_bytes;
    result.disk_bytes = usage.disk_bytes;
  }
  if (const PageMirror* mirror = compute_.mirror(); mirror != nullptr) {
    const PageMirror::Usage usage = mirror->usage();
    result.device_bytes = usage.used_bytes;
    result.device_capacity_bytes = usage.capacity_bytes;
  }
  for (const std::shared_ptr<Context>& context : AllContexts()) {
    const ContextSize size = context->Size();
    ++result.contexts;
    result.entries += size.entries;
    result.index_bytes += size.index_bytes;
    result.kv_bytes += size.kv_bytes;
  }
  absl::MutexLock lock(&mu_);
  result.corrupt_pages = damage_.size();
  return result;
}

absl::StatusOr<Result> Shard::Impl::Run(const PinContext& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  if (call.until > absl::Now() && arena_.budget_bytes() > 0) {
    const ContextSize size = (*context)->Size();
    const uint64_t bytes = size.index_bytes + size.kv_bytes;
    if (bytes > arena_.budget_bytes()) {
      return Error(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET",
                   absl::StrCat("context ", call.context_id, " has ", bytes,
                                " bytes here; this shard has memory for ", arena_.budget_bytes(),
                                " bytes of pages"));
    }
  }
  if (absl::Status status = (*context)->Pin(call.until); !status.ok()) return status;
  if ((*context)->pinned()) restorer_.Wants(*context);
  return Result(Done{});
}

absl::StatusOr<Result> Shard::Impl::Run(const Tier& call, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  if (call.action == TierAction::kSpill && (*context)->pinned()) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "CONTEXT_PINNED",
        absl::StrCat("context ", call.context_id, " is pinned; unpin it before spilling it"));
  }
  if (call.action == TierAction::kRestore) (*context)->Touch();
  absl::StatusOr<TierResult> result =
      (*context)->Apply(call, deadline, [&](Stripe& stripe, Plane plane) {
        // What was asked for pushes out all that others used before, but not what it brought.
        const SpillLimits limits = {.index_used_before = (*context)->last_used(),
                                    .kv_used_before = (*context)->last_used()};
        return restorer_.Restore(stripe, plane, deadline, deadline, limits);
      });
  if (!result.ok()) return result.status();
  for (const std::string& damage : result->corrupt) ReportDamage(call.context_id, damage);
  if (call.action == TierAction::kSpill && !result->corrupt.empty()) {
    return Error(absl::StatusCode::kDataLoss, "CORRUPT_PAGE", result->corrupt.front());
  }
  return *std::move(result);
}

}  // namespace winnow::shard
