#ifndef WINNOW_STORAGE_ROCKSDB_SEGMENT_BOOK_H_
#define WINNOW_STORAGE_ROCKSDB_SEGMENT_BOOK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/stored_run.h"

namespace winnow {

// Which extents of which segments are alive, and how large they are: those that somebody refers to,
// and those that a recorded context refers to. Thread-safe. Extents know it by a weak pointer, so
// they may outlive it.
class SegmentBook : public std::enable_shared_from_this<SegmentBook> {
 public:
  // The extent of that context in that segment: the same for all as long as one of them lives.
  std::shared_ptr<const Extent> Take(uint64_t number, uint32_t segment);

  // Keeps the extent alive until Unpin, on behalf of a context that is recorded on disk.
  void Pin(uint64_t number, std::shared_ptr<const Extent> extent);
  void Unpin(uint64_t number);

  // Bytes were written to a living extent. `logged` tells whether they are in the log.
  void Wrote(const Extent& extent, uint64_t bytes, bool logged);

  bool IsAlive(uint64_t number, uint32_t segment) const;
  // Whether the extent holds bytes that were not in the log when they were written.
  bool IsUnlogged(const Extent& extent) const;

  // Bytes of living extents in segments [first, last]; 0 only if there are none.
  uint64_t LiveBytes(uint32_t first, uint32_t last) const;
  // The living extents of a segment and their bytes.
  std::vector<std::pair<uint64_t, uint64_t>> Extents(uint32_t segment) const;

  // Waits until an extent was let go since the last call, or Close, or the timeout.
  void AwaitRelease(absl::Duration timeout);
  // Whether Close came within the time.
  bool AwaitClosed(absl::Duration timeout) const;
  // Ends waiting for good.
  void Close();
  bool closed() const;

 private:
  struct Entry {
    std::weak_ptr<const Extent> extent;
    uint64_t generation = 0;
    uint64_t bytes = 0;
    bool unlogged = false;
  };

  void Release(uint64_t number, uint32_t segment, uint64_t generation);
  bool Woken() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return released_ || closed_; }

  mutable absl::Mutex mu_;
  // By segment and context number. An entry is erased when its extent is let go.
  std::map<std::pair<uint32_t, uint64_t>, Entry> entries_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::set<std::shared_ptr<const Extent>>> pinned_ ABSL_GUARDED_BY(mu_);
  uint64_t next_generation_ ABSL_GUARDED_BY(mu_) = 0;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_SEGMENT_BOOK_H_
