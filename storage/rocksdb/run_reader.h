#ifndef WINNOW_STORAGE_ROCKSDB_RUN_READER_H_
#define WINNOW_STORAGE_ROCKSDB_RUN_READER_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/keys.h"
#include "storage/stored_run.h"

namespace winnow {

// Reads a plane of consecutive entries in order: [end - first, entry_bytes]. DATA_LOSS
// CORRUPT_ENTRIES unless all of them are there and match their checks, DEADLINE_EXCEEDED.
absl::Status ReadRange(const Database& database, const StoredRange& range, Plane plane,
                       size_t entry_bytes, absl::Time deadline, std::byte* out);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_RUN_READER_H_
