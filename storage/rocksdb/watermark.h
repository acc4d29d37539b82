#ifndef WINNOW_STORAGE_ROCKSDB_WATERMARK_H_
#define WINNOW_STORAGE_ROCKSDB_WATERMARK_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace winnow {

// What a Watermark's file told.
struct Mark {
  std::string boot_id;    // of the system that ran when it was written
  uint64_t sequence = 0;  // of RocksDB, of a write
};

// A file of a data directory that tells how far RocksDB's log must reach. It is a mapping that is
// stored to, never synced: as long as the system runs it is exactly as durable as the log's
// unsynced tail, and the boot id tells whether the system ran on. After a loss of power it may be
// as of any time before.
class Watermark {
 public:
  // What the file holds, nothing if there is none. DATA_LOSS CORRUPT_STORE, FAILED_PRECONDITION
  // UNKNOWN_VERSION.
  static absl::StatusOr<std::optional<Mark>> Read(const std::string& directory, const char* name);
  // Replaces the file.
  static absl::StatusOr<std::unique_ptr<Watermark>> Create(const std::string& directory,
                                                           const char* name, const Mark& start);
  ~Watermark();

  // Wait-free but for other writers; never lowers it.
  void Raise(uint64_t sequence);
  uint64_t sequence() const { return mark_->load(std::memory_order_relaxed) >> 16; }

 private:
  explicit Watermark(void* mapping);

  void* const mapping_;
  std::atomic<uint64_t>* const mark_;
};

// Of the last acknowledged write; holds as long as the system runs.
inline constexpr char kAcknowledged[] = "ACKNOWLEDGED";
// Of a write up to which all are on the disk; holds on any boot. Directories of before have none.
inline constexpr char kSynced[] = "SYNCED";

// What they told when a directory was opened.
struct FoundMarks {
  Mark acknowledged;
  uint64_t synced = 0;
};

// Those of an open store.
struct Watermarks {
  static absl::StatusOr<Watermarks> Create(const std::string& directory, const std::string& boot_id,
                                           uint64_t acknowledged, uint64_t synced);

  std::unique_ptr<Watermark> acknowledged;
  std::unique_ptr<Watermark> synced;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_WATERMARK_H_
