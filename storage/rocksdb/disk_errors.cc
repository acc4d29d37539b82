#include "storage/rocksdb/disk_errors.h"

#include "absl/strings/match.h"
#include "storage/rocksdb/keys.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

// RocksDB names the file in its message alone.
bool IsOfLog(const rocksdb::Status& error) { return absl::StrContains(error.ToString(), ".log"); }

}  // namespace

absl::Status DiskErrors::status() const {
  absl::MutexLock lock(&mu_);
  return status_;
}

void DiskErrors::Stop(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (status_.ok()) status_ = status;
  stopped_.store(true);
}

void DiskErrors::Clear() {
  absl::MutexLock lock(&mu_);
  status_ = absl::OkStatus();
  stopped_.store(false);
}

void DiskErrors::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) {
  if (info.status.IsCorruption() && info.cf_name != kEntriesFamily) catalog_damaged_.store(true);
}

void DiskErrors::OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) {
  using Reason = rocksdb::BackgroundErrorReason;
  const bool flush = reason == Reason::kFlush || reason == Reason::kFlushNoWAL;
  if (flush) ++ended_flushes_;
  if (reason == Reason::kCompaction) {
    // It left its inputs as they were.
    const bool entries_damaged = error->IsCorruption() && !catalog_damaged_.load();
    if (error->IsIOError() || entries_damaged) *error = rocksdb::Status::OK();
    return;
  }
  Stop(FromRocksdb(*error, "writing"));
  if (!error->IsIOError()) return;
  // A flush begins by syncing the logs; RocksDB must be stopped before it syncs one again.
  if (flush && !IsOfLog(*error)) {
    *error = rocksdb::Status::OK();
  } else if (error->severity() > rocksdb::Status::Severity::kHardError) {
    // Resuming writes all of memory to new files, and so does not depend on what became of the log.
    *error = rocksdb::Status(*error, rocksdb::Status::Severity::kHardError);
  }
}

}  // namespace winnow
