#ifndef WINNOW_STORAGE_ROCKSDB_RECOVERY_H_
#define WINNOW_STORAGE_ROCKSDB_RECOVERY_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "storage/entry_store.h"
#include "storage/rocksdb/catalog.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/segment_book.h"

namespace winnow {

// Where a store goes on after it was opened.
struct Resumed {
  uint64_t next_number = 1;
  uint32_t next_segment = 1;
};

// Finds the contexts and where their entries lie. Runs in closed segments are read from their
// records; the one segment that may be open is read off its keys, and closed. So the time grows
// with the number of runs and the size of one segment.
absl::StatusOr<Resumed> Recover(Database* database, SegmentBook* book, Recovery* recovery);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_RECOVERY_H_
