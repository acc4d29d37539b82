#ifndef WINNOW_STORAGE_PAGE_ARENA_H_
#define WINNOW_STORAGE_PAGE_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace winnow {

// Memory for pages, taken from the system in large slabs so that consecutive pages of a scan are
// mostly adjacent, and given back when a slab is empty. Thread-safe.
class PageArena {
 public:
  // A page's memory; returned to the arena when the last owner lets go. Must not outlive the arena.
  using Page = std::shared_ptr<std::byte>;

  // budget_bytes: pages held at once; 0 for no limit.
  explicit PageArena(size_t budget_bytes);
  ~PageArena();
  PageArena(const PageArena&) = delete;
  PageArena& operator=(const PageArena&) = delete;

  // `page_bytes` zeroed bytes, 64-byte aligned; page_bytes must be a multiple of 16 above zero.
  // RESOURCE_EXHAUSTED MEMORY_BUDGET (facts "needed_bytes", "free_bytes").
  absl::StatusOr<Page> Allocate(size_t page_bytes);

  // Bytes of the pages that are held now.
  size_t used_bytes() const;
  // 0 for no limit.
  size_t budget_bytes() const { return budget_bytes_; }
  // What the budget leaves; nothing where there is none.
  size_t free_bytes() const { return budget_bytes_ - std::min(budget_bytes_, used_bytes()); }

 private:
  class SizeClass;
  const size_t budget_bytes_;
  mutable absl::Mutex mu_;
  size_t used_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<size_t, std::unique_ptr<SizeClass>> classes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_PAGE_ARENA_H_
