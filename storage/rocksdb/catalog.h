#ifndef WINNOW_STORAGE_ROCKSDB_CATALOG_H_
#define WINNOW_STORAGE_ROCKSDB_CATALOG_H_

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/write_batch.h"
#include "storage/context_record.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/keys.h"
#include "storage/stored_run.h"

namespace winnow {

// The column family `default`, version 2, numbers big-endian:
//   "format"              u32 version
//   "next_number"         u64: numbers below were or may have been given to contexts
//   "closed"              u32: segments up to this take no more entries
//   "extents/" u32        of a closed segment: (u64 context number, u64 bytes) for each extent that
//                         was alive then
//   "log_start"           see log_chain.h
// `contexts`: u64 number -> EncodeContextRecord
// `runs`: RunKey -> u64 context number, u32 segment of the extent
struct Meta {
  uint64_t next_number = 1;
  uint32_t closed = 0;
  // (segment, context number) -> bytes
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> extent_bytes;
};

// Whether there is neither a format nor a context.
absl::StatusOr<bool> IsEmpty(const Database& database);

// Writes the format into a new store. FAILED_PRECONDITION UNKNOWN_VERSION, DATA_LOSS CORRUPT_STORE.
absl::StatusOr<Meta> ReadMeta(Database* database);

struct RunRecord {
  RunKey key;
  uint64_t extent_number = 0;
  uint32_t segment = 0;
};

// By number, and by key.
absl::StatusOr<std::vector<ContextRecord>> ReadContexts(const Database& database);
absl::StatusOr<std::vector<RunRecord>> ReadRuns(const Database& database);

// To be written with others in one batch.
void PutNextNumber(const Database& database, uint64_t next, rocksdb::WriteBatch* batch);
void PutClosed(const Database& database, uint32_t segment,
               std::span<const std::pair<uint64_t, uint64_t>> extents, rocksdb::WriteBatch* batch);
void DeleteExtents(const Database& database, uint32_t segment, rocksdb::WriteBatch* batch);
void PutContext(const Database& database, const ContextRecord& record, rocksdb::WriteBatch* batch);
void PutRun(const Database& database, const RunRecord& run, rocksdb::WriteBatch* batch);
void PutStripe(const Database& database, uint64_t number, const StoredStripe& stripe,
               rocksdb::WriteBatch* batch);
// The context and its runs.
absl::Status DeleteContext(const Database& database, uint64_t number, rocksdb::WriteBatch* batch);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_CATALOG_H_
