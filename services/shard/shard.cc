#include "services/shard/shard.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "services/shard/attend.h"
#include "services/shard/select.h"
#include "services/shard/shard_impl.h"
#include "storage/error.h"
#include "storage/residency.h"
#include "storage/version.h"

namespace winnow::shard {
namespace {

// Pages that an append may need at most.
uint64_t PageBytes(const Append& call, const Profile& profile) {
  const uint64_t pages = call.count / kernels::kPageEntries + 2;
  const uint64_t page_bytes = kernels::KeyPageBytes(profile.key_format, profile.index_dim) +
                              kernels::kPageEntries * profile.row_bytes();
  return call.layers.size() * pages * page_bytes;
}

// What a failed append of so many page bytes is told where no deletion would make room for it.
absl::Status WithAdvice(const absl::Status& status, uint64_t bytes, const PageArena& arena) {
  const uint64_t budget = arena.budget_bytes();
  if (ErrorReason(status) != "MEMORY_BUDGET" || bytes <= budget) return status;
  return Error(
      absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET",
      absl::StrCat("the append takes up to ", bytes, " bytes of pages and the shard has ", budget,
                   "; raise --memory-budget, or append fewer entries in a call"),
      {{"needed_bytes", absl::StrCat(bytes)}, {"free_bytes", absl::StrCat(arena.free_bytes())}});
}

}  // namespace

absl::StatusOr<Result> Shard::Impl::Run(const ListContexts& call, absl::Time) {
  std::vector<std::shared_ptr<Context>> listed;
  const std::string prefix = absl::StrCat(call.tenant, "/");
  {
    absl::MutexLock lock(&mu_);
    for (auto it = contexts_.upper_bound(std::max(call.after, prefix));
         it != contexts_.end() && it->first.starts_with(prefix) && listed.size() < call.limit;
         ++it) {
      if (!it->second->expired()) listed.push_back(it->second);
    }
  }
  ListContextsResult result;
  for (const std::shared_ptr<Context>& context : listed) {
    result.contexts.push_back(context->Describe());
  }
  return result;
}

absl::StatusOr<Result> Shard::Impl::Run(const ListTenants&, absl::Time) {
  NamesResult result;
  std::vector<std::string>& tenants = result.names;
  for (const std::shared_ptr<Context>& context : AllContexts()) {
    // By id, so that those of a tenant follow one another.
    if (tenants.empty() || tenants.back() != context->tenant()) {
      tenants.push_back(context->tenant());
    }
  }
  return result;
}

absl::StatusOr<Result> Shard::Impl::Run(const Describe& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id);
  if (!context.ok()) return context.status();
  return (*context)->Describe();
}

absl::StatusOr<Result> Shard::Impl::Run(const Append& call, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Context>> context = FindToUse(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  const uint64_t bytes = PageBytes(call, (*context)->profile());
  absl::StatusOr<AppendResult> result =
      WithRoom(bytes, deadline, [&] { return (*context)->Append(call, deadline); });
  if (!result.ok()) return WithAdvice(result.status(), bytes, arena_);
  return *std::move(result);
}

absl::StatusOr<Result> Shard::Impl::Run(const Select& call, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Context>> context = FindToUse(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  const DeadlineWatch::Guard guard(&watch_, deadline);
  absl::StatusOr<SelectResult> result =
      SelectFrom(**context, call, compute_, deadline, guard.passed());
  if (!result.ok()) return result.status();
  if (result->cold_index_bytes != 0) restorer_.Wants(*context);
  if (result->warm_pages != 0) device_tier_.Wants(*context);
  if (absl::Status status = selections_.Insert(
          call.selection_id, std::make_shared<Selection>(*context, result->candidates));
      !status.ok()) {
    return status;
  }
  return *std::move(result);
}

absl::StatusOr<Result> Shard::Impl::Run(const Attend& call, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Context>> context = FindToUse(call.context_id, call.incarnation);
  if (!context.ok()) return context.status();
  absl::StatusOr<std::shared_ptr<Selection>> selection =
      selections_.Find(call.selection_id, **context);
  if (!selection.ok()) return selection.status();
  absl::StatusOr<Selection::Rows> winners = (*selection)->FixWinners(call.thresholds);
  if (!winners.ok()) return winners.status();
  absl::StatusOr<AttendResult> result =
      AttendOver(**context, call, *std::move(winners), compute_, deadline);
  if (!result.ok()) return result.status();
  if (result->cold_rows != 0) restorer_.Wants(*context);
  if (result->warm_rows != 0) device_tier_.Wants(*context);
  return *std::move(result);
}

Shard::Shard(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Shard::~Shard() = default;

absl::StatusOr<std::unique_ptr<Shard>> Shard::Open(const ShardOptions& options, Compute* compute) {
  std::unique_ptr<EntryStore> store;
  Recovery recovery;
  if (!options.data_dir.empty()) {
    const MemorySplit split = SplitBudget(options.memory_budget_bytes);
    absl::StatusOr<std::unique_ptr<EntryStore>> opened =
        EntryStore::Open({.directory = options.data_dir,
                          .segment_bytes = split.segment_bytes,
                          .row_cache_bytes = split.row_cache_bytes,
                          .block_cache_bytes = split.block_cache_bytes,
                          .background_bytes_per_second = options.spill_bytes_per_second},
                         &recovery);
    if (!opened.ok()) return opened.status();
    store = *std::move(opened);
  } else if (options.default_durability > Durability::kMemory) {
    return InvalidField("durability", DurabilityName(options.default_durability),
                        "memory where there is no data directory");
  }
  auto impl = std::make_unique<Impl>(options, compute, std::move(store));
  impl->Recover(std::move(recovery));
  return std::unique_ptr<Shard>(new Shard(std::move(impl)));
}

const RecoveryReport& Shard::recovery() const { return impl_->recovery(); }

absl::StatusOr<Result> Shard::Handle(const Call& call, absl::Time deadline) {
  if (absl::Status status = CheckTime(deadline); !status.ok()) return status;
  absl::StatusOr<Result> result =
      std::visit([&](const auto& alternative) { return impl_->Run(alternative, deadline); }, call);
  if (!result.ok()) return result;
  if (absl::Status status = CheckTime(deadline); !status.ok()) return status;
  return result;
}

}  // namespace winnow::shard
