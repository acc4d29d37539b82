#ifndef WINNOW_STORAGE_ROCKSDB_DATABASE_H_
#define WINNOW_STORAGE_ROCKSDB_DATABASE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "rocksdb/compaction_filter.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/options.h"
#include "storage/entry_store.h"
#include "storage/rocksdb/disk_errors.h"
#include "storage/rocksdb/flusher.h"
#include "storage/rocksdb/log_chain.h"
#include "storage/rocksdb/manifest_seal.h"
#include "storage/rocksdb/watermark.h"

namespace winnow {

// The one process that has a data directory, as long as this lives.
class DirectoryLock {
 public:
  // FAILED_PRECONDITION DATA_DIR_IN_USE, UNAVAILABLE DISK_FAILED.
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& directory);
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  const int fd_;
};

// How far a write must have come before it is acknowledged.
enum class WriteMode { kUnlogged, kLogged, kSynced };

// A RocksDB with its column families, its watermark, and the way back from a disk that refused.
//   default   of the store itself: catalog.h
//   contexts  number -> ContextRecord
//   runs      RunKey -> the extent it lies in
//   entries   EntryKey -> entries and their check
class Database {
 public:
  // Makes the directory and what is in it if it is new. `filter` decides which entries need not be
  // written to files any more.
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      const EntryStoreOptions& options, std::shared_ptr<rocksdb::CompactionFilterFactory> filter);
  ~Database();

  // Whether nothing was ever acknowledged in it; the first acknowledged write is its format.
  bool is_new() const { return is_new_; }
  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* meta() const { return families_[0]; }
  rocksdb::ColumnFamilyHandle* contexts() const { return families_[1]; }
  rocksdb::ColumnFamilyHandle* runs() const { return families_[2]; }
  rocksdb::ColumnFamilyHandle* entries() const { return families_[3]; }

  // All or nothing. After a failure it tries, at most once a second, to bring RocksDB back.
  absl::Status Write(rocksdb::WriteBatch* batch, WriteMode mode);

  // RESOURCE_EXHAUSTED DISK_FULL unless there is room for so many bytes, and for what is in memory
  // to be written out.
  absl::Status CheckRoom(uint64_t bytes) const;

  // Ends the segment in memory here and writes it out meanwhile.
  absl::Status FlushSegment();
  // As Flusher::AwaitIdle.
  absl::Status AwaitFlushed(absl::Duration patience) { return flusher_->AwaitIdle(patience); }
  // Moves all that is in memory to files.
  absl::Status FlushAll();

  // To the log, by flushes and by compactions, since Open.
  uint64_t written_bytes() const;
  uint64_t memory_bytes() const;

 private:
  Database() = default;
  // Compares what was recovered with what was acknowledged, and begins a log.
  absl::Status Begin(const FoundMarks& found, const std::string& boot_id);
  // `synced`: a write that must be found; 0 for none.
  absl::Status OpenRocksdb(const EntryStoreOptions& options, rocksdb::Options rocksdb_options,
                           uint64_t synced);
  // OK if RocksDB takes writes and flushes; brings it back if it does not.
  absl::Status Resume();
  // Whether the disk takes a small file, and has room for what is in memory.
  absl::Status ProbeDisk() const;

  std::string directory_;
  bool is_new_ = false;
  std::unique_ptr<DirectoryLock> lock_;
  Watermarks marks_;
  std::shared_ptr<rocksdb::Statistics> statistics_;
  std::shared_ptr<rocksdb::Cache> block_cache_;
  std::unique_ptr<LogChain> log_chain_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;

  std::shared_ptr<ManifestSeal> seal_;  // shared with RocksDB
  const std::shared_ptr<DiskErrors> errors_ = std::make_shared<DiskErrors>();
  absl::Mutex log_gate_;  // held shared by whoever writes to the log
  std::unique_ptr<Flusher> flusher_;
  absl::Mutex resume_mu_;
  absl::Time next_resume_ ABSL_GUARDED_BY(resume_mu_) = absl::InfinitePast();
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_DATABASE_H_
