#include <utility>

#include "absl/strings/str_cat.h"
#include "services/shard/shard_impl.h"
#include "storage/residency.h"
#include "storage/version.h"

namespace winnow::shard {
namespace {

constexpr absl::Duration kReapEvery = absl::Seconds(1);
// Bounds what the list of damaged pages takes.
constexpr size_t kMaxDamage = 10'000;

size_t PageBudget(const ShardOptions& options) {
  return options.data_dir.empty() ? options.memory_budget_bytes
                                  : SplitBudget(options.memory_budget_bytes).page_bytes;
}

}  // namespace

Shard::Impl::Impl(const ShardOptions& options, Compute* compute, std::unique_ptr<EntryStore> store)
    : options_(options),
      compute_(*compute),
      store_(std::move(store)),
      arena_(PageBudget(options)),
      selections_(options.max_selections, options.selection_ttl),
      spiller_(
          &arena_, store_ != nullptr, [this] { return AllContexts(); },
          [this](const std::string& id, const std::string& damage) { ReportDamage(id, damage); }),
      restorer_(&arena_, &spiller_),
      device_tier_(compute->mirror(), [this] { return AllContexts(); },
                   {.idle = options.device_idle}),
      scrubber_(
          options.scrub_bytes_per_second, [this] { return AllContexts(); },
          [this](const std::string& id, const std::string& damage) { ReportDamage(id, damage); }),
      reaper_([this] { Reap(); }) {}

Shard::Impl::~Impl() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  reaper_.join();
}

void Shard::Impl::Recover(Recovery recovery) {
  recovery_.duration = recovery.duration;
  recovery_.entries_from_log = recovery.entries_from_log;
  std::map<std::string, std::shared_ptr<const Profile>> profiles;  // by fingerprint
  for (const StoredContext& stored : recovery.contexts) {
    std::shared_ptr<const Profile>& profile = profiles[Fingerprint(stored.record.profile)];
    if (profile == nullptr) profile = std::make_shared<const Profile>(stored.record.profile);
    auto context = std::make_shared<Context>(NewStorage(stored.record, profile), stored.stripes);
    ++recovery_.contexts;
    recovery_.entries += context->Size().entries;
    if (context->pinned()) restorer_.Wants(context);
    Insert(std::move(context));
  }
}

ContextStorage Shard::Impl::NewStorage(ContextRecord record,
                                       std::shared_ptr<const Profile> profile) {
  return {.profile = std::move(profile),
          .arena = &arena_,
          .mirror = compute_.mirror(),
          .store = store_.get(),
          .record = std::move(record)};
}

absl::StatusOr<Durability> Shard::Impl::Resolve(Durability asked) const {
  if (asked == Durability::kDefault) asked = options_.default_durability;
  if (asked == Durability::kDefault) {
    return store_ == nullptr ? Durability::kMemory : Durability::kLogged;
  }
  if (asked == Durability::kMemory || store_ != nullptr) return asked;
  return Error(absl::StatusCode::kFailedPrecondition, "NO_DATA_DIR",
               absl::StrCat("the durability '", std::string(DurabilityName(asked)),
                            "' needs a data directory; this shard has none"));
}

absl::StatusOr<std::shared_ptr<Context>> Shard::Impl::Find(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto it = contexts_.find(id);
  if (it != contexts_.end() && !it->second->expired()) return it->second;
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT",
               absl::StrCat("there is no context ", id));
}

absl::StatusOr<std::shared_ptr<Context>> Shard::Impl::Find(const std::string& id,
                                                           uint64_t incarnation) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(id);
  if (!context.ok() || (*context)->incarnation() == incarnation) return context;
  return Error(absl::StatusCode::kFailedPrecondition, "STALE_CONTEXT",
               absl::StrCat("context ", id, " has been made anew"));
}

absl::StatusOr<std::shared_ptr<Context>> Shard::Impl::FindToUse(const std::string& id,
                                                                uint64_t incarnation) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(id, incarnation);
  if (context.ok()) (*context)->Touch();
  return context;
}

std::vector<std::shared_ptr<Context>> Shard::Impl::AllContexts() {
  std::vector<std::shared_ptr<Context>> all;
  absl::MutexLock lock(&mu_);
  for (const auto& [id, context] : contexts_) all.push_back(context);
  return all;
}

void Shard::Impl::Insert(std::shared_ptr<Context> context) {
  absl::MutexLock lock(&mu_);
  contexts_[context->id()] = std::move(context);
}

void Shard::Impl::Forget(const Context& context) {
  absl::MutexLock lock(&mu_);
  const auto it = contexts_.find(context.id());
  if (it != contexts_.end() && it->second.get() == &context) contexts_.erase(it);
}

absl::StatusOr<bool> Shard::Impl::Holds(const ContextRecord& record, absl::Time stale_before,
                                        uint64_t parent_incarnation) {
  std::shared_ptr<Context> held;
  {
    absl::MutexLock lock(&mu_);
    const auto it = contexts_.find(record.context_id);
    if (it == contexts_.end()) return false;
    held = it->second;
  }
  const absl::StatusOr<bool> gone = held->RemoveIfOver(std::max(stale_before, absl::Now()));
  if (!gone.ok()) return gone.status();
  if (*gone) {
    Forget(*held);
    return false;
  }
  // What is older than its parent is a fork of another one that had the parent's name.
  if (held->IsLike(record) && held->incarnation() > parent_incarnation) return true;
  return Error(absl::StatusCode::kAlreadyExists, "CONTEXT_EXISTS",
               absl::StrCat("context ", record.context_id,
                            " is held with another profile or another origin"));
}

absl::StatusOr<Result> Shard::Impl::Run(const CreateContext& call, absl::Time deadline) {
  absl::StatusOr<Durability> durability = Resolve(call.durability);
  if (!durability.ok()) return durability.status();
  ContextRecord record = {.context_id = call.context_id,
                          .tenant = call.tenant,
                          .profile = *call.profile,
                          .placement_key = call.placement_key,
                          .durability = *durability,
                          .expires_at = call.expires_at};
  const absl::StatusOr<NameTurns::Turn> turn = turns_.Take(call.context_id, deadline);
  if (!turn.ok()) return turn.status();
  // Of what is made after its time nobody would know.
  if (absl::Status status = CheckTime(deadline); !status.ok()) return status;
  absl::StatusOr<bool> held = Holds(record, call.stale_before);
  if (!held.ok()) return held.status();
  if (*held) return Result(Done{});
  absl::StatusOr<std::shared_ptr<Context>> context =
      Context::Create(NewStorage(std::move(record), call.profile));
  if (!context.ok()) return context.status();
  Insert(*std::move(context));
  return Result(Done{});
}

absl::StatusOr<Result> Shard::Impl::Run(const ForkContext& call, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Context>> parent = Find(call.parent_context_id, call.incarnation);
  if (!parent.ok()) return parent.status();
  const absl::StatusOr<NameTurns::Turn> turn = turns_.Take(call.context_id, deadline);
  if (!turn.ok()) return turn.status();
  if (absl::Status status = CheckTime(deadline); !status.ok()) return status;
  absl::StatusOr<bool> held =
      Holds((*parent)->ForkRecord(call), call.stale_before, call.incarnation);
  if (!held.ok()) return held.status();
  if (*held) return Result(Done{});
  const Profile& profile = (*parent)->profile();
  const uint64_t page_bytes =
      profile.layers.size() * kernels::kPageEntries * (profile.key_bytes() + profile.row_bytes());
  absl::StatusOr<std::shared_ptr<Context>> fork =
      WithRoom(page_bytes, deadline, [&] { return (*parent)->Fork(call); });
  if (!fork.ok()) return fork.status();
  Insert(*std::move(fork));
  return Result(Done{});
}

absl::StatusOr<Result> Shard::Impl::Run(const SealContext& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  if (absl::Status status = (*context)->Seal(); !status.ok()) return status;
  return Result(Done{});
}

absl::StatusOr<Result> Shard::Impl::Run(const DeleteContext& call, absl::Time deadline) {
  const absl::StatusOr<NameTurns::Turn> turn = turns_.Take(call.context_id, deadline);
  if (!turn.ok()) return turn.status();
  absl::StatusOr<std::shared_ptr<Context>> context =
      call.any_incarnation ? Find(call.context_id) : Find(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  if (absl::Status status = (*context)->Remove(); !status.ok()) return status;
  Forget(**context);
  return Result(Done{});
}

absl::StatusOr<Result> Shard::Impl::Run(const RenewLease& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  if (absl::Status status = (*context)->Renew(call.expires_at); !status.ok()) return status;
  return Result(Done{});
}

void Shard::Impl::Reap() {
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), kReapEvery)) return;
    }
    std::vector<std::shared_ptr<Context>> expired = AllContexts();
    std::erase_if(expired, [](const auto& context) { return !context->expired(); });
    // Thousands may expire at once, and each removal waits for the disk; what each took is free as
    // soon as it is removed.
    for (; !expired.empty(); expired.pop_back()) {
      {
        absl::MutexLock lock(&mu_);
        if (stopping_) return;
      }
      const std::shared_ptr<Context>& context = expired.back();
      // Somebody who has the turn removes it, too; what the disk refuses is tried again.
      const absl::StatusOr<NameTurns::Turn> turn = turns_.Take(context->id(), absl::Now());
      if (turn.ok() && context->RemoveIfOver(absl::Now()).value_or(false)) Forget(*context);
    }
  }
}

void Shard::Impl::ReportDamage(const std::string& context_id, const std::string& damage) {
  bool news = false;
  {
    absl::MutexLock lock(&mu_);
    if (damage_.size() < kMaxDamage) {
      news = damage_.insert(absl::StrCat(context_id, ": ", damage)).second;
    }
  }
  if (news && options_.on_damage != nullptr) options_.on_damage(context_id, damage);
}

}  // namespace winnow::shard
