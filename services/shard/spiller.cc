#include "services/shard/spiller.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/error.h"

namespace winnow::shard {
namespace {

// Spilling ahead starts above the first share of the budget and ends below the second.
constexpr double kHighWater = 0.95;
constexpr double kLowWater = 0.90;
// Of the budget, what a caller without room spills at least.
constexpr uint64_t kSpillShare = 64;
constexpr absl::Duration kMaxWait = absl::Seconds(1);
// Between looks at whether readers have let go; doubled each time.
constexpr absl::Duration kFirstPause = absl::Milliseconds(1);
constexpr absl::Duration kAfterFailure = absl::Seconds(1);

absl::Status NoRoom(uint64_t needed_bytes, uint64_t free_bytes, uint64_t budget_bytes) {
  return Error(
      absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET",
      absl::StrCat(needed_bytes, " bytes of pages are needed and ", free_bytes, " of ",
                   budget_bytes, " are free; delete or unpin contexts, or raise --memory-budget"),
      {{"needed_bytes", absl::StrCat(needed_bytes)}, {"free_bytes", absl::StrCat(free_bytes)}});
}

}  // namespace

Spiller::Spiller(PageArena* arena, bool can_spill, ListContextsFn contexts, ReportDamageFn report)
    : arena_(*arena),
      can_spill_(can_spill),
      contexts_(std::move(contexts)),
      report_(std::move(report)) {
  if (can_spill_ && arena_.budget_bytes() != 0) thread_ = std::thread([this] { SpillAhead(); });
}

Spiller::~Spiller() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<uint64_t> Spiller::SpillVictim(Context& context, const Victim& victim,
                                              absl::Time deadline) {
  std::vector<std::string> damaged;
  absl::StatusOr<uint64_t> spilled = context.Spill(victim.plane, victim.bytes, deadline, &damaged);
  for (const std::string& damage : damaged) report_(context.id(), damage);
  return spilled;
}

bool Spiller::BeginTurn(absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  if (!mu_.AwaitWithDeadline(absl::Condition(this, &Spiller::NobodySpills), deadline)) return false;
  spilling_ = true;
  return true;
}

void Spiller::EndTurn() {
  absl::MutexLock lock(&mu_);
  spilling_ = false;
}

absl::Status Spiller::SpillForRoom(uint64_t bytes, const SpillLimits& limits, absl::Time deadline) {
  if (!BeginTurn(deadline)) return absl::OkStatus();
  const absl::Cleanup end = [this] { EndTurn(); };
  // Whoever had the turn before may have made room for this one, too.
  const uint64_t free = arena_.free_bytes();
  if (free >= bytes) return absl::OkStatus();
  // More than is missing, so that not every caller has to look for victims.
  const uint64_t enough = std::max(bytes - free, arena_.budget_bytes() / kSpillShare);
  return SpillSome(enough, limits, deadline).status();
}

absl::StatusOr<uint64_t> Spiller::SpillSome(uint64_t bytes, const SpillLimits& limits,
                                            absl::Time deadline) {
  const std::vector<std::shared_ptr<Context>> contexts = contexts_();
  std::vector<ContextResidency> residencies;
  for (const std::shared_ptr<Context>& context : contexts) {
    residencies.push_back({.last_used = context->last_used(),
                           .pinned = context->pinned(),
                           .index_bytes = context->resident_bytes(Plane::kIndex),
                           .kv_bytes = context->resident_bytes(Plane::kKv)});
  }
  uint64_t spilled = 0;
  absl::Status failure;
  for (bool in_time = true; in_time && spilled < bytes;) {
    const std::vector<Victim> victims = ChooseVictims(residencies, bytes - spilled, limits);
    if (victims.empty()) break;
    for (const Victim& victim : victims) {
      absl::StatusOr<uint64_t> freed = SpillVictim(*contexts[victim.context], victim, deadline);
      if (freed.ok()) spilled += *freed;
      failure.Update(freed.status());
      // What it did not free is damaged, or the disk does not take it: others are asked instead.
      ContextResidency& left = residencies[victim.context];
      (victim.plane == Plane::kIndex ? left.index_bytes : left.kv_bytes) = 0;
      in_time = spilled == 0 || absl::Now() < deadline;
      if (!in_time) break;
    }
  }
  if (spilled == 0 && !failure.ok()) return failure;
  return spilled;
}

absl::Status Spiller::MakeRoom(uint64_t bytes, absl::Time deadline, const SpillLimits& limits) {
  const uint64_t budget = arena_.budget_bytes();
  if (budget == 0) return absl::OkStatus();
  if (!can_spill_ || bytes > budget) return NoRoom(bytes, arena_.free_bytes(), budget);
  deadline = std::min(deadline, absl::Now() + kMaxWait);
  for (absl::Duration pause = kFirstPause;; pause *= 2) {
    if (arena_.free_bytes() >= bytes) return absl::OkStatus();
    absl::Status status = SpillForRoom(bytes, limits, deadline);
    if (!status.ok()) return status;
    const uint64_t free = arena_.free_bytes();
    if (free >= bytes) return absl::OkStatus();
    if (absl::Now() >= deadline) return NoRoom(bytes, free, budget);
    absl::SleepFor(std::min(pause, deadline - absl::Now()));
  }
}

void Spiller::Grew() {
  if (arena_.used_bytes() <= kHighWater * arena_.budget_bytes()) return;
  absl::MutexLock lock(&mu_);
  grew_ = true;
}

absl::Status Spiller::SpillToLowWater() {
  const uint64_t budget = arena_.budget_bytes();
  const auto low = static_cast<uint64_t>(kLowWater * static_cast<double>(budget));
  const uint64_t used = arena_.used_bytes();
  // In small parts, between which those who wait for room take their turn.
  for (uint64_t left = used - std::min(used, low); left != 0;) {
    BeginTurn(absl::InfiniteFuture());
    absl::StatusOr<uint64_t> spilled = SpillSome(
        std::min(left, std::max<uint64_t>(1, budget / kSpillShare)), {}, absl::InfiniteFuture());
    EndTurn();
    if (!spilled.ok()) return spilled.status();
    if (*spilled == 0) break;
    left -= std::min(left, *spilled);
  }
  return absl::OkStatus();
}

void Spiller::SpillAhead() {
  while (true) {
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &Spiller::StopsOrGrew));
      if (stopping_) return;
      grew_ = false;
    }
    if (SpillToLowWater().ok()) continue;
    // The caller whose append finds no room learns why; here there is nobody to tell.
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&stopping_), kAfterFailure);
  }
}

}  // namespace winnow::shard
