#ifndef WINNOW_STORAGE_ROCKSDB_ROW_GROUP_H_
#define WINNOW_STORAGE_ROCKSDB_ROW_GROUP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "storage/page_set.h"

namespace winnow {

// Rows that lie in one value if one append brought all of them; else each has a value of its own.
// A stripe is cut into groups from its first row.
struct RowGroup {
  uint32_t first = 0;  // positions in the context
  uint32_t end = 0;
};

// So that a value, with its key and check, fills a block of 4 KiB: a row costs one such read
// wherever it lies, and what it costs to insert and sort a value is shared.
inline constexpr size_t kMaxGroupBytes = 4000;

inline RowGroup GroupOf(uint32_t position, size_t row_bytes) {
  const auto rows = static_cast<uint32_t>(std::max<size_t>(1, kMaxGroupBytes / row_bytes));
  const uint32_t stripe = position / kStripeEntries * kStripeEntries;
  const uint32_t first = stripe + (position - stripe) / rows * rows;
  return {first, std::min(first + rows, stripe + kStripeEntries)};
}

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_ROW_GROUP_H_
