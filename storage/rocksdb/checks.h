#ifndef WINNOW_STORAGE_ROCKSDB_CHECKS_H_
#define WINNOW_STORAGE_ROCKSDB_CHECKS_H_

#include <cstddef>
#include <cstdint>

#include "rocksdb/slice.h"
#include "storage/rocksdb/keys.h"

namespace winnow {

// A value of the column family `entries` is the bytes of consecutive entries, one after another,
// and their check:
//   SumOfEntries by their positions in the context, plus XXH3(key); u64, little-endian
// so that entries at another place than they were written to are noticed as well as damaged ones.
inline constexpr size_t kCheckBytes = 8;

uint64_t EntriesCheck(const EntryKeyBytes& key, uint32_t first_position, const std::byte* entries,
                      uint32_t count, size_t entry_bytes);

// The number of entries in the value, or 0 if it is damaged.
uint32_t VerifyEntries(const EntryKeyBytes& key, uint32_t first_position, size_t entry_bytes,
                       const rocksdb::Slice& value);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_CHECKS_H_
