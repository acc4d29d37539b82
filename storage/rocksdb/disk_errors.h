#ifndef WINNOW_STORAGE_ROCKSDB_DISK_ERRORS_H_
#define WINNOW_STORAGE_ROCKSDB_DISK_ERRORS_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/listener.h"

namespace winnow {

// Hears what the disk refuses, and keeps RocksDB from giving up for it: errors of flushes and
// compactions leave it running, so that Database can try them anew, and errors of the log stop it
// in a way that DB::Resume ends. Damage that a compaction of entries meets leaves it running too;
// damage of the catalog does not, for what is written then may never be found again. Thread-safe.
class DiskErrors : public rocksdb::EventListener {
 public:
  // Whether writes must not go on, for RocksDB is stopped or a flush failed.
  bool stopped() const { return stopped_.load(); }
  // What stopped it, or OK.
  absl::Status status() const;
  void Stop(const absl::Status& status);
  void Clear();

  // How many flushes came to an end, well or not.
  uint64_t ended_flushes() const { return ended_flushes_.load(); }

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { ++ended_flushes_; }
  // Comes before OnBackgroundError of the same compaction.
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override;
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> catalog_damaged_ = false;
  std::atomic<uint64_t> ended_flushes_ = 0;
  mutable absl::Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_DISK_ERRORS_H_
