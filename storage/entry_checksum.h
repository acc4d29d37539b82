#ifndef WINNOW_STORAGE_ENTRY_CHECKSUM_H_
#define WINNOW_STORAGE_ENTRY_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

namespace winnow {

// The checksum of entries that follow one another, [count, entry_bytes] entry-major: the sum modulo
// 2^64 of the XXH3-64 of each, seeded with its number, so that a page's checksum grows with the
// page and an entry in the wrong place is noticed. `first` is the first one's number.
uint64_t SumOfEntries(const std::byte* entries, uint32_t count, size_t entry_bytes, uint64_t first);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ENTRY_CHECKSUM_H_
