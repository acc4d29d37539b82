#include "storage/rocksdb/checks.h"

#include <xxhash.h>

#include <cstring>

#include "storage/entry_checksum.h"

namespace winnow {

uint64_t EntriesCheck(const EntryKeyBytes& key, uint32_t first_position, const std::byte* entries,
                      uint32_t count, size_t entry_bytes) {
  return XXH3_64bits(key.slice().data(), key.slice().size()) +
         SumOfEntries(entries, count, entry_bytes, first_position);
}

uint32_t VerifyEntries(const EntryKeyBytes& key, uint32_t first_position, size_t entry_bytes,
                       const rocksdb::Slice& value) {
  if (value.size() < kCheckBytes + entry_bytes) return 0;
  const size_t bytes = value.size() - kCheckBytes;
  if (bytes % entry_bytes != 0) return 0;
  uint64_t stored = 0;
  std::memcpy(&stored, value.data() + bytes, sizeof stored);
  const auto* entries = reinterpret_cast<const std::byte*>(value.data());
  const auto count = static_cast<uint32_t>(bytes / entry_bytes);
  if (EntriesCheck(key, first_position, entries, count, entry_bytes) != stored) return 0;
  return count;
}

}  // namespace winnow
