#ifndef WINNOW_STORAGE_ROCKSDB_SYNCED_LOG_H_
#define WINNOW_STORAGE_ROCKSDB_SYNCED_LOG_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "rocksdb/options.h"

namespace winnow {

// That replaying the logs of a data directory as the options say comes as far as the write with the
// sequence number `synced`; 0 for none. Changes nothing there, while opening the directory for good
// would delete what lies beyond damage. DATA_LOSS CORRUPT_STORE.
absl::Status CheckSyncedLog(const std::string& directory, rocksdb::Options options,
                            uint64_t synced);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_SYNCED_LOG_H_
