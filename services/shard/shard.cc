#include "services/shard/shard.h"

#include <map>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "services/shard/attend.h"
#include "services/shard/compute.h"
#include "services/shard/context.h"
#include "services/shard/deadline_watch.h"
#include "services/shard/select.h"
#include "services/shard/selection_table.h"
#include "storage/error.h"
#include "storage/page_arena.h"
#include "storage/version.h"

namespace winnow::shard {

class Shard::Impl {
 public:
  Impl(const ShardOptions& options, Compute* compute)
      : compute_(*compute),
        arena_(options.memory_budget_bytes),
        selections_(options.max_selections, options.selection_ttl) {}

  absl::StatusOr<Result> Run(const Ping&, absl::Time);
  absl::StatusOr<Result> Run(const CreateContext& call, absl::Time);
  absl::StatusOr<Result> Run(const ForkContext& call, absl::Time);
  absl::StatusOr<Result> Run(const SealContext& call, absl::Time);
  absl::StatusOr<Result> Run(const DeleteContext& call, absl::Time);
  absl::StatusOr<Result> Run(const ListContexts& call, absl::Time);
  absl::StatusOr<Result> Run(const Describe& call, absl::Time);
  absl::StatusOr<Result> Run(const Append& call, absl::Time);
  absl::StatusOr<Result> Run(const Select& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const Attend& call, absl::Time);

 private:
  absl::StatusOr<std::shared_ptr<Context>> Find(const std::string& id);
  absl::StatusOr<std::shared_ptr<Context>> Find(const std::string& id, uint64_t tag);
  // Adds a context, or accepts one that is there already and was made the same way.
  absl::StatusOr<Result> Add(std::shared_ptr<Context> context);

  Compute& compute_;
  PageArena arena_;  // above all that holds pages
  DeadlineWatch watch_;

  absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Context>> contexts_ ABSL_GUARDED_BY(mu_);
  SelectionTable selections_;
};

absl::StatusOr<std::shared_ptr<Context>> Shard::Impl::Find(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto it = contexts_.find(id);
  if (it != contexts_.end()) return it->second;
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT",
               absl::StrCat("there is no context ", id));
}

absl::StatusOr<std::shared_ptr<Context>> Shard::Impl::Find(const std::string& id, uint64_t tag) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(id);
  if (!context.ok()) return context;
  if (absl::Status status = (*context)->CheckTag(tag); !status.ok()) return status;
  return context;
}

absl::StatusOr<Result> Shard::Impl::Add(std::shared_ptr<Context> context) {
  absl::MutexLock lock(&mu_);
  const auto [it, added] = contexts_.try_emplace(context->id(), context);
  if (added || it->second->SameAs(*context)) return Result(Done{});
  return Error(
      absl::StatusCode::kAlreadyExists, "CONTEXT_EXISTS",
      absl::StrCat("context ", context->id(), " is held with another profile or another origin"));
}

absl::StatusOr<Result> Shard::Impl::Run(const Ping&, absl::Time) {
  PingResult result{.version = kVersion,
                    .threads = static_cast<uint32_t>(compute_.threads()),
                    .kernels = compute_.name()};
  absl::MutexLock lock(&mu_);
  result.contexts = contexts_.size();
  for (const auto& [id, context] : contexts_) {
    const ContextState state = context->Describe();
    result.index_bytes += state.index_bytes;
    result.kv_bytes += state.kv_bytes;
    for (const uint64_t entries : state.layer_entries) result.entries += entries;
  }
  return result;
}

absl::StatusOr<Result> Shard::Impl::Run(const CreateContext& call, absl::Time) {
  return Add(std::make_shared<Context>(call, &arena_, compute_.mirror()));
}

absl::StatusOr<Result> Shard::Impl::Run(const ForkContext& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> parent = Find(call.parent_context_id);
  if (!parent.ok()) return parent.status();
  absl::StatusOr<std::shared_ptr<Context>> fork = (*parent)->Fork(call.context_id, call.entries);
  if (!fork.ok()) return fork.status();
  return Add(*std::move(fork));
}

absl::StatusOr<Result> Shard::Impl::Run(const SealContext& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id);
  if (!context.ok()) return context.status();
  (*context)->Seal();
  return Result(Done{});
}

absl::StatusOr<Result> Shard::Impl::Run(const DeleteContext& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id);
  if (!context.ok()) return context.status();
  absl::MutexLock lock(&mu_);
  contexts_.erase(call.context_id);
  return Result(Done{});
}

absl::StatusOr<Result> Shard::Impl::Run(const ListContexts& call, absl::Time) {
  ListContextsResult result;
  absl::MutexLock lock(&mu_);
  for (auto it = contexts_.upper_bound(call.after);
       it != contexts_.end() && result.contexts.size() < call.limit; ++it) {
    if (it->second->tenant() == call.tenant) result.contexts.push_back(it->second->Describe());
  }
  return result;
}

absl::StatusOr<Result> Shard::Impl::Run(const Describe& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id);
  if (!context.ok()) return context.status();
  return (*context)->Describe();
}

absl::StatusOr<Result> Shard::Impl::Run(const Append& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.context_tag);
  if (!context.ok()) return context.status();
  return (*context)->Append(call);
}

absl::StatusOr<Result> Shard::Impl::Run(const Select& call, absl::Time deadline) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.context_tag);
  if (!context.ok()) return context.status();
  const DeadlineWatch::Guard guard(&watch_, deadline);
  absl::StatusOr<SelectResult> result = SelectFrom(**context, call, compute_, guard.passed());
  if (!result.ok()) return result.status();
  if (absl::Status status = selections_.Insert(
          call.selection_id, std::make_shared<Selection>(*context, result->candidates));
      !status.ok()) {
    return status;
  }
  return *std::move(result);
}

absl::StatusOr<Result> Shard::Impl::Run(const Attend& call, absl::Time) {
  absl::StatusOr<std::shared_ptr<Context>> context = Find(call.context_id, call.context_tag);
  if (!context.ok()) return context.status();
  absl::StatusOr<std::shared_ptr<Selection>> selection =
      selections_.Find(call.selection_id, **context);
  if (!selection.ok()) return selection.status();
  absl::StatusOr<Selection::Rows> winners = (*selection)->FixWinners(call.thresholds);
  if (!winners.ok()) return winners.status();
  return AttendOver(**context, call, *std::move(winners), compute_);
}

Shard::Shard(const ShardOptions& options, Compute* compute)
    : impl_(std::make_unique<Impl>(options, compute)) {}

Shard::~Shard() = default;

absl::StatusOr<Result> Shard::Handle(const Call& call, absl::Time deadline) {
  const auto late = [deadline] { return absl::Now() >= deadline; };
  if (!late()) {
    absl::StatusOr<Result> result = std::visit(
        [&](const auto& alternative) { return impl_->Run(alternative, deadline); }, call);
    if (!late() || !result.ok()) return result;
  }
  return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
               "the deadline passed before the shard had its answer");
}

}  // namespace winnow::shard
