#ifndef WINNOW_STORAGE_ROCKSDB_STATUS_H_
#define WINNOW_STORAGE_ROCKSDB_STATUS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "rocksdb/status.h"

namespace winnow {

// What RocksDB answered while Winnow was doing `what`: RESOURCE_EXHAUSTED DISK_FULL, UNAVAILABLE
// DISK_FAILED or DATA_LOSS CORRUPT_STORE (fact "file", where RocksDB names one).
absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& what);

// What RocksDB answered when it was to open the directory. The same, and CORRUPT_STORE for a file
// that is named by another and not there.
absl::Status FromOpening(const rocksdb::Status& status, const std::string& directory);

// What the system answered: "<what>: <why>" and, where access was denied, what to do. The same
// codes and reasons.
absl::Status FromErrno(int error, const std::string& what);

absl::Status CorruptStore(const std::string& file, const std::string& what);

// An error of opening the directory, naming it; of one that is damaged, with what to do.
absl::Status InDirectory(const std::string& directory, const absl::Status& status);

// DATA_LOSS CORRUPT_ENTRIES, facts "context_number", "layer", "first_position", "end_position".
absl::Status CorruptEntries(uint64_t context_number, int layer, uint64_t first, uint64_t end,
                            const std::string& what);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_STATUS_H_
