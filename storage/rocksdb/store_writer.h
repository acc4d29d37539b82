#ifndef WINNOW_STORAGE_ROCKSDB_STORE_WRITER_H_
#define WINNOW_STORAGE_ROCKSDB_STORE_WRITER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/entry_store.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/open_segment.h"
#include "storage/rocksdb/recovery.h"
#include "storage/rocksdb/segment_book.h"

namespace winnow {

// The half of an EntryStore that writes: gives appends to the open segment, and closes it when it
// is full. Records of contexts fill it too, for the log is deleted only when a segment is written
// out. Thread-safe; appends run side by side, so that they share syncs of the log.
class StoreWriter {
 public:
  StoreWriter(Database* database, SegmentBook* book, const Resumed& resumed, uint64_t segment_bytes,
              absl::Duration patience);
  // Flushes.
  ~StoreWriter();

  // As EntryStore's.
  absl::Status AddContext(ContextRecord* record, std::span<const StoredStripe> stripes);
  absl::Status UpdateContext(const ContextRecord& record);
  absl::Status RemoveContext(const ContextRecord& record);
  absl::StatusOr<std::shared_ptr<const Extent>> Append(const ContextRecord& record, uint32_t stripe,
                                                       std::span<const StoreWrite> writes,
                                                       absl::Time deadline);
  absl::Status Flush();

  uint64_t appended_bytes() const { return appended_bytes_.load(std::memory_order_relaxed); }

 private:
  absl::StatusOr<uint64_t> TakeNumber();
  // Whether a run of the stripes would be lost with the process.
  bool HasUnlogged(std::span<const StoredStripe> stripes) const;
  void PinStripes(uint64_t number, std::span<const StoredStripe> stripes);
  // Ends a segment that is full, then writes records if there is room for them.
  absl::Status AddRecords(rocksdb::WriteBatch* batch, WriteMode mode);
  // Writes records and counts them.
  absl::Status WriteRecords(rocksdb::WriteBatch* batch, WriteMode mode);
  // Whether so much was written since the last segment was closed.
  bool IsFull() const;
  absl::Status CloseIfFull(absl::Time deadline);
  // Records what the open segment holds and begins the next one.
  absl::Status Close() ABSL_EXCLUSIVE_LOCKS_REQUIRED(gate_);

  Database* const database_;
  SegmentBook* const book_;
  const uint64_t segment_bytes_;
  const uint64_t max_record_bytes_;
  const absl::Duration patience_;  // with the writing of a segment

  // Held shared by whoever writes into the open segment, exclusively by who closes it.
  mutable absl::Mutex gate_;
  uint32_t segment_ ABSL_GUARDED_BY(gate_);      // the open one
  uint32_t flushed_ ABSL_GUARDED_BY(gate_) = 0;  // up to this one they are known to be in files
  OpenSegment open_;                             // synchronises itself
  std::atomic<uint64_t> appended_bytes_ = 0;

  absl::Mutex number_mu_;
  uint64_t next_number_ ABSL_GUARDED_BY(number_mu_);
  uint64_t reserved_ ABSL_GUARDED_BY(number_mu_);  // numbers below are recorded as used
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_STORE_WRITER_H_
