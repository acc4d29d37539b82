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
struct Acknowledged {
  std::string boot_id;    // of the system that ran when it was written
  uint64_t sequence = 0;  // of RocksDB, of the last acknowledged write
};

// The file ACKNOWLEDGED of a data directory: how far RocksDB's log must reach for every
// acknowledged write to be in it. It is a mapping that is stored to, never synced: as long as the
// system runs it is exactly as durable as the log's unsynced tail, and the boot id tells whether
// the system ran on.
class Watermark {
 public:
  // What the file holds, nothing if there is none. DATA_LOSS CORRUPT_STORE, FAILED_PRECONDITION
  // UNKNOWN_VERSION.
  static absl::StatusOr<std::optional<Acknowledged>> Read(const std::string& directory);
  // Replaces the file.
  static absl::StatusOr<std::unique_ptr<Watermark>> Create(const std::string& directory,
                                                           const Acknowledged& start);
  ~Watermark();

  // Wait-free but for other writers; never lowers it.
  void Raise(uint64_t sequence);
  uint64_t sequence() const { return mark_->load(std::memory_order_relaxed) >> 16; }

 private:
  explicit Watermark(void* mapping);

  void* const mapping_;
  std::atomic<uint64_t>* const mark_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_WATERMARK_H_
