#ifndef WINNOW_STORAGE_ROCKSDB_FLUSHER_H_
#define WINNOW_STORAGE_ROCKSDB_FLUSHER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "rocksdb/db.h"
#include "storage/rocksdb/disk_errors.h"
#include "storage/rocksdb/watermark.h"

namespace winnow {

// Moves column families from memory to files. Thread-safe; has a thread of its own.
//
// RocksDB 7.8, where an error stops it,
// * forgets a flush that was asked for and has not begun, and resuming then waits for it for ever;
// * does not survive that two flushes fail to sync the same log.
// So there is only ever one flush at a time, and the next one waits until it has ended.
class Flusher {
 public:
  // The first of the families holds nothing large and takes what begins a log. `log_gate` is held
  // shared by whoever writes to the log.
  Flusher(rocksdb::DB* db, std::vector<rocksdb::ColumnFamilyHandle*> small,
          rocksdb::ColumnFamilyHandle* entries, DiskErrors* errors, const Watermarks* marks,
          absl::Mutex* log_gate);
  ~Flusher();

  // Ends the memtable of the entries here and writes it out meanwhile; the others follow, so that
  // old logs are deleted. Waits until earlier flushes are done.
  absl::Status FlushSegment();
  // Waits until earlier flushes are done, or an error has stopped them. RESOURCE_EXHAUSTED
  // DISK_BEHIND if the disk takes longer than `patience`.
  absl::Status AwaitIdle(absl::Duration patience);
  // Writes out everything and returns once it is in files.
  absl::Status FlushAll();
  // To be called when RocksDB began a log.
  absl::Status StartLog();

 private:
  absl::Status Start(rocksdb::ColumnFamilyHandle* family) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status SyncLog();
  absl::Status Await(rocksdb::ColumnFamilyHandle* family) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status FlushSmall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t Property(rocksdb::ColumnFamilyHandle* family, const std::string& name) const;
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return segment_started_ || ending_; }
  void Work();

  rocksdb::DB* const db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> small_;
  rocksdb::ColumnFamilyHandle* const entries_;
  DiskErrors* const errors_;
  const Watermarks* const marks_;
  absl::Mutex* const log_gate_;

  absl::Mutex mu_;  // held by the one that flushes
  bool segment_started_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_FLUSHER_H_
