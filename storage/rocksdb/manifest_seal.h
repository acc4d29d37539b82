#ifndef WINNOW_STORAGE_ROCKSDB_MANIFEST_SEAL_H_
#define WINNOW_STORAGE_ROCKSDB_MANIFEST_SEAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/db.h"
#include "rocksdb/listener.h"
#include "storage/snapshot_file.h"

namespace winnow {

// The file SEALED of a data directory: how far RocksDB's manifest reached and the XXH3-128 of its
// bytes, and the logs that were needed then. RocksDB takes a damaged record near a manifest's end
// for one that was never finished, and would open an older version of the store; and it does not
// miss a log that is gone. The manifest only grows, so a seal that is older than it still vouches
// for its beginning. Thread-safe.
class ManifestSeal : public rocksdb::EventListener {
 public:
  explicit ManifestSeal(std::string directory) : directory_(std::move(directory)) {}

  // Before RocksDB is opened: that the manifest begins as it was sealed. DATA_LOSS CORRUPT_STORE.
  absl::Status Check();
  // After Check: that the logs from that number on are as they were sealed. DATA_LOSS
  // CORRUPT_STORE.
  absl::Status CheckLogs(uint64_t first) const;

  // Seals what is there now. On failure the older seal stays, and is good.
  absl::Status Update(rocksdb::DB* db);
  // Before a log is deleted, for after a kill it would be missed.
  absl::Status ForgetLog(uint64_t number);

  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo&) override {
    Update(db).IgnoreError();
  }
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo&) override {
    Update(db).IgnoreError();
  }

 private:
  struct Seal {
    std::string manifest;  // its name
    FileSeal file;
    std::map<uint64_t, uint64_t> logs;  // number -> bytes
  };

  std::string SealPath() const { return directory_ + "/SEALED"; }
  absl::StatusOr<std::string> CurrentManifest() const;
  absl::StatusOr<Seal> ReadSeal() const;
  absl::Status WriteSeal(const Seal& seal) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Logs from that number on, and their bytes.
  std::map<uint64_t, uint64_t> LogsFrom(uint64_t first) const;

  const std::string directory_;
  // By number, as Check found them.
  std::map<uint64_t, uint64_t> sealed_logs_;
  std::map<uint64_t, uint64_t> found_logs_;

  absl::Mutex mu_;  // One change at a time.
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_MANIFEST_SEAL_H_
