#include "storage/entry_checksum.h"

#include <xxhash.h>

namespace winnow {

uint64_t SumOfEntries(const std::byte* entries, uint32_t count, size_t entry_bytes,
                      uint64_t first) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    sum += XXH3_64bits_withSeed(entries + i * entry_bytes, entry_bytes, first + i);
  }
  return sum;
}

}  // namespace winnow
