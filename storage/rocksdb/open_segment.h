#ifndef WINNOW_STORAGE_ROCKSDB_OPEN_SEGMENT_H_
#define WINNOW_STORAGE_ROCKSDB_OPEN_SEGMENT_H_

#include <atomic>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/entry_store.h"

namespace winnow {

// Entries of one layer of a stripe that one context wrote into the open segment.
struct OpenRun {
  uint64_t number = 0;
  uint32_t stripe = 0;
  int layer = 0;
  uint32_t first = 0;
  uint32_t end = 0;
};

// What the segment that is written to holds, so that appends need write no more than the entries
// themselves: runs are recorded when the segment is closed, and after a crash are read off the keys
// of the segment. Thread-safe.
class OpenSegment {
 public:
  // INTERNAL if the writes leave a gap or overlap with what is held.
  absl::Status Check(uint64_t number, uint32_t stripe, std::span<const StoreWrite> writes) const;
  void Add(uint64_t number, uint32_t stripe, std::span<const StoreWrite> writes);
  void Forget(uint64_t number);
  // Begins anew.
  void Clear();

  std::vector<OpenRun> runs() const;

  // Bytes written to the segment, of contexts that are recorded or not.
  void AddBytes(uint64_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // Bytes of records of contexts and their runs that were written to the log meanwhile.
  void AddRecordBytes(uint64_t bytes) { record_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  uint64_t record_bytes() const { return record_bytes_.load(std::memory_order_relaxed); }

 private:
  using Place = std::tuple<uint64_t, uint32_t, int>;  // number, stripe, layer
  struct Range {
    uint32_t first = 0;
    uint32_t end = 0;
  };

  std::atomic<uint64_t> bytes_ = 0;
  std::atomic<uint64_t> record_bytes_ = 0;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<Place, Range> ranges_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_OPEN_SEGMENT_H_
