#ifndef WINNOW_SERVICES_SHARD_SELECTION_TABLE_H_
#define WINNOW_SERVICES_SHARD_SELECTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "kernels/candidate.h"
#include "services/shard/context.h"

namespace winnow::shard {

// One query's candidates on this shard, and its winners once a threshold has fixed them.
// Thread-safe.
class Selection {
 public:
  using Rows = std::vector<std::vector<kernels::Candidate>>;  // [T], each best first

  // Does not keep the context alive.
  Selection(std::weak_ptr<const Context> context, Rows candidates);

  // What it takes at most: fixing winners makes it smaller.
  size_t bytes() const { return bytes_; }
  bool IsOf(const Context& context) const { return context_.lock().get() == &context; }

  // Keeps the candidates that are at least as good as their row's threshold; with no thresholds,
  // asks for the winners fixed earlier. FAILED_PRECONDITION THRESHOLDS if they differ from those
  // given before, or none were; INVALID_ARGUMENT if there is not one for each row.
  absl::StatusOr<Rows> FixWinners(const std::vector<kernels::Candidate>& thresholds);

 private:
  const std::weak_ptr<const Context> context_;
  const size_t bytes_;
  absl::Mutex mu_;
  std::vector<kernels::Candidate> thresholds_ ABSL_GUARDED_BY(mu_);  // empty until fixed
  Rows rows_ ABSL_GUARDED_BY(mu_);
};

// What the selections of a shard take at most, beside its memory budget: 256 of 64 rows x 2,048.
inline constexpr size_t kMaxSelectionBytes = size_t{256} << 20;

// Recent selections by id. The least recently used ones make room. Thread-safe.
class SelectionTable {
 public:
  SelectionTable(size_t max_selections, absl::Duration ttl, size_t max_bytes = kMaxSelectionBytes)
      : max_selections_(max_selections), ttl_(ttl), max_bytes_(max_bytes) {}

  // INVALID_ARGUMENT if the id is taken. The newest one is held whatever it takes.
  absl::Status Insert(uint64_t id, std::shared_ptr<Selection> selection);

  // NOT_FOUND SELECTION_EXPIRED if it is not held any more or belongs to another context.
  absl::StatusOr<std::shared_ptr<Selection>> Find(uint64_t id, const Context& context);

 private:
  struct Entry {
    uint64_t id;
    absl::Time used;
    std::shared_ptr<Selection> selection;
  };

  void DropExpired(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropLeastRecentlyUsed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t max_selections_;
  const absl::Duration ttl_;
  const size_t max_bytes_;
  absl::Mutex mu_;
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;         // of all
  std::list<Entry> by_use_ ABSL_GUARDED_BY(mu_);  // the least recently used first
  absl::flat_hash_map<uint64_t, std::list<Entry>::iterator> by_id_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SELECTION_TABLE_H_
