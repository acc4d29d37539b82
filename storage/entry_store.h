#ifndef WINNOW_STORAGE_ENTRY_STORE_H_
#define WINNOW_STORAGE_ENTRY_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/context_record.h"
#include "storage/stored_run.h"

namespace rocksdb {
class Env;
}

namespace winnow {

struct EntryStoreOptions {
  std::string directory;  // made if it is not there
  // Entries are written out in segments of about this size; up to three are in memory at once.
  size_t segment_bytes = size_t{64} << 20;
  size_t row_cache_bytes = size_t{64} << 20;
  size_t block_cache_bytes = size_t{64} << 20;       // for the indexes of the files
  int reader_threads = 32;                           // random reads under way at once
  uint64_t background_bytes_per_second = 0;          // for writing segments; 0 for no limit
  absl::Duration flush_patience = absl::Seconds(5);  // of appends, with a segment being written
  std::string boot_id;                               // of the running system; empty to ask it
  rocksdb::Env* env = nullptr;                       // null for the system's
};

// Entries of one layer to be stored.
struct StoreWrite {
  int layer = 0;
  uint32_t first = 0;  // entry of the stripe
  uint32_t count = 0;
  std::span<const std::byte> index_keys;  // [count, key_bytes]; empty where there is no index
  std::span<const std::byte> kv_rows;     // [count, row_bytes]
};

// A context as it was found on disk.
struct StoredContext {
  ContextRecord record;
  std::vector<StoredStripe> stripes;  // by number
};

struct Recovery {
  std::vector<StoredContext> contexts;
  uint64_t entries_from_log = 0;  // that were in no closed segment
  absl::Duration duration;
};

struct StoreUsage {
  uint64_t disk_bytes = 0;      // files of the data directory
  uint64_t appended_bytes = 0;  // keys and rows given to Append since Open
  uint64_t written_bytes = 0;   // to the log, segments and compactions since Open
  uint64_t memory_bytes = 0;    // write buffers and caches
};

// A row to be read.
struct RowRef {
  const Extent* extent = nullptr;
  int layer = 0;
  uint32_t position = 0;  // in the context
};

// Rows in memory, as long as this lives.
class FetchedRows {
 public:
  FetchedRows();
  ~FetchedRows();
  FetchedRows(FetchedRows&&) noexcept;
  FetchedRows& operator=(FetchedRows&&) noexcept;

  std::span<const std::byte* const> rows() const;  // in the order of the references
  uint64_t cache_hits() const;

 private:
  friend class EntryStore;
  friend class RowFetcher;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// The entries of a shard's contexts on disk: a RocksDB of rows and of pieces of index pages.
//
// Everything is written once into the write-ahead log and once into a sorted file, a segment. Keys
// begin with the segment's number, so files never overlap and compaction has nothing to merge; a
// file is rewritten only where contexts were deleted. Entries carry an XXH3 of their bytes and
// their place, which every read verifies. Thread-safe.
//
// Errors: RESOURCE_EXHAUSTED DISK_FULL or DISK_BEHIND, UNAVAILABLE DISK_FAILED (the disk refused;
// later calls try anew), DATA_LOSS CORRUPT_ENTRIES (names layer and positions), DEADLINE_EXCEEDED.
class EntryStore {
 public:
  // FAILED_PRECONDITION DATA_DIR_IN_USE if another process has the directory, UNKNOWN_VERSION if a
  // later version wrote it; DATA_LOSS CORRUPT_STORE (fact "file") if acknowledged entries or a file
  // are damaged. The message names the directory.
  static absl::StatusOr<std::unique_ptr<EntryStore>> Open(const EntryStoreOptions& options,
                                                          Recovery* recovery);
  // Writes out what is in memory, so that the next Open has no log to replay.
  ~EntryStore();
  // Gives the record its number, and keeps it unless its durability is kMemory. A fork's stripes
  // are kept with it, all or nothing.
  absl::Status AddContext(ContextRecord* record, std::span<const StoredStripe> stripes = {});
  // Replaces the record of that number.
  absl::Status UpdateContext(const ContextRecord& record);
  // Forgets the record. Its entries, kept for it until now, are given back once their extents are
  // let go; those of kMemory contexts always are.
  absl::Status RemoveContext(const ContextRecord& record);

  // Stores entries of one stripe, all or nothing, as durably as the record asks. The caller appends
  // to a layer in order, without gaps, one call at a time for a stripe. Waits for a segment being
  // written for `flush_patience`, or until the deadline. Returns where they lie.
  absl::StatusOr<std::shared_ptr<const Extent>> Append(
      const ContextRecord& record, uint32_t stripe, std::span<const StoreWrite> writes,
      absl::Time deadline = absl::InfiniteFuture());
  // Waits until all that was appended is in files.
  absl::Status Flush();
  // Entries [first, end) of a stripe's layer, in order, with read-ahead: index keys
  // [end - first, key_bytes] or KV rows [end - first, row_bytes]. Blocks until they are read or
  // DEADLINE_EXCEEDED.
  absl::Status ReadKeys(const StoredRange& range, size_t key_bytes, absl::Time deadline,
                        std::byte* keys);
  absl::Status ReadRows(const StoredRange& range, size_t row_bytes, absl::Time deadline,
                        std::byte* rows);

  // Rows anywhere, by many readers at once and through a cache.
  absl::StatusOr<FetchedRows> FetchRows(std::span<const RowRef> rows, size_t row_bytes,
                                        absl::Time deadline);

  StoreUsage usage() const;
  // Deletes files in which no context has entries, and rewrites those that are more than half dead;
  // runs by itself in the background too. DATA_LOSS CORRUPT_STORE if one of these is damaged: it
  // stays, and the others are reclaimed.
  absl::Status Reclaim();

 private:
  struct Impl;
  explicit EntryStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ENTRY_STORE_H_
