#ifndef WINNOW_SERVICES_SHARD_SHARD_IMPL_H_
#define WINNOW_SERVICES_SHARD_SHARD_IMPL_H_

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "services/shard/compute.h"
#include "services/shard/context.h"
#include "services/shard/deadline_watch.h"
#include "services/shard/device_tier.h"
#include "services/shard/name_turns.h"
#include "services/shard/restorer.h"
#include "services/shard/scrubber.h"
#include "services/shard/selection_table.h"
#include "services/shard/shard.h"
#include "services/shard/spiller.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/page_arena.h"

namespace winnow::shard {

class Shard::Impl {
 public:
  Impl(const ShardOptions& options, Compute* compute, std::unique_ptr<EntryStore> store);
  ~Impl();

  // Takes the contexts that were found on disk. Before the first call.
  void Recover(Recovery recovery);
  const RecoveryReport& recovery() const { return recovery_; }

  absl::StatusOr<Result> Run(const Ping&, absl::Time);
  absl::StatusOr<Result> Run(const CreateContext& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const ForkContext& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const SealContext& call, absl::Time);
  absl::StatusOr<Result> Run(const DeleteContext& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const RenewLease& call, absl::Time);
  absl::StatusOr<Result> Run(const PinContext& call, absl::Time);
  absl::StatusOr<Result> Run(const ListTenants&, absl::Time);
  absl::StatusOr<Result> Run(const ListContexts& call, absl::Time);
  absl::StatusOr<Result> Run(const Describe& call, absl::Time);
  absl::StatusOr<Result> Run(const Append& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const Select& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const Attend& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const Tier& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const SaveSnapshot& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const LoadSnapshot& call, absl::Time deadline);
  absl::StatusOr<Result> Run(const ListSnapshots& call, absl::Time);

 private:
  using Contexts = std::map<std::string, std::shared_ptr<Context>>;

  absl::StatusOr<std::shared_ptr<Context>> Find(const std::string& id);
  // FAILED_PRECONDITION STALE_CONTEXT if it is another one of that id.
  absl::StatusOr<std::shared_ptr<Context>> Find(const std::string& id, uint64_t incarnation);
  // For a query or an append.
  absl::StatusOr<std::shared_ptr<Context>> FindToUse(const std::string& id, uint64_t incarnation);
  // What the call's ranges go into; the first makes it.
  absl::StatusOr<std::shared_ptr<Context>> ContextToLoad(const LoadSnapshot& call,
                                                         const ContextRecord& saved,
                                                         absl::Time deadline);
  std::vector<std::shared_ptr<Context>> AllContexts();
  // Whether a context of that id and kind is there already; ALREADY_EXISTS if it is of another
  // kind. One whose time is over by then is removed. The parent's incarnation is a fork's. In a
  // turn of the id.
  absl::StatusOr<bool> Holds(const ContextRecord& record, absl::Time stale_before,
                             uint64_t parent_incarnation = 0);
  // Unless another one has its name by now.
  void Forget(const Context& context);
  void Insert(std::shared_ptr<Context> context);
  absl::StatusOr<Durability> Resolve(Durability asked) const;
  ContextStorage NewStorage(ContextRecord record, std::shared_ptr<const Profile> profile);

  // Runs fn again as long as it finds no memory and some can be made free.
  template <typename Fn>
  auto WithRoom(uint64_t bytes, absl::Time deadline, Fn fn) -> decltype(fn());
  void ReportDamage(const std::string& context_id, const std::string& damage);
  // Deletes contexts whose time is over, as long as the shard lives.
  void Reap();

  const ShardOptions options_;
  Compute& compute_;
  const std::unique_ptr<EntryStore> store_;  // null: memory only
  PageArena arena_;                          // above all that holds pages
  RecoveryReport recovery_;
  DeadlineWatch watch_;

  NameTurns turns_;  // of who makes or removes a context
  absl::Mutex mu_;
  Contexts contexts_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<std::string> damage_ ABSL_GUARDED_BY(mu_);
  SelectionTable selections_;

  Spiller spiller_;
  Restorer restorer_;
  DeviceTier device_tier_;
  Scrubber scrubber_;
  std::thread reaper_;  // last, so that it starts when all else is there
};

template <typename Fn>
auto Shard::Impl::WithRoom(uint64_t bytes, absl::Time deadline, Fn fn) -> decltype(fn()) {
  while (true) {
    auto result = fn();
    // Without a budget it is the system that has no memory, and nothing makes room.
    const bool can_make_room = store_ != nullptr && arena_.budget_bytes() != 0;
    if (result.ok() || !can_make_room || ErrorReason(result.status()) != "MEMORY_BUDGET") {
      spiller_.Grew();
      device_tier_.Grew();
      return result;
    }
    if (absl::Status status = spiller_.MakeRoom(bytes, deadline); !status.ok()) return status;
    if (absl::Now() >= deadline) return result;
    bytes *= 2;  // Others took the room that was made.
  }
}

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SHARD_IMPL_H_
