#ifndef WINNOW_KERNELS_CPU_FOR_EACH_SOUGHT_H_
#define WINNOW_KERNELS_CPU_FOR_EACH_SOUGHT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "kernels/layout.h"

namespace winnow::kernels {

// Calls fn(i) for each value of a page of which is_sought(value). Those are few, so they are marked
// first, without a branch: the compiler compares a vector at a time.
template <typename IsSought, typename Fn>
void ForEachSought(std::span<const float> values, IsSought is_sought, Fn fn) {
  static_assert(std::endian::native == std::endian::little);
  std::array<uint8_t, kPageEntries> marks = {};
  for (size_t i = 0; i < values.size(); ++i) marks[i] = static_cast<uint8_t>(is_sought(values[i]));
  for (size_t first = 0; first < marks.size(); first += sizeof(uint64_t)) {
    uint64_t marked;
    std::memcpy(&marked, &marks[first], sizeof marked);
    for (; marked != 0; marked &= marked - 1) fn(first + std::countr_zero(marked) / 8);
  }
}

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_FOR_EACH_SOUGHT_H_
