#ifndef WINNOW_KERNELS_CPU_KEEP_BEST_H_
#define WINNOW_KERNELS_CPU_KEEP_BEST_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/score_order.h"

namespace winnow::kernels {

// Drops values that are not among the best k, but for up to k / 8 that come next; of equals the
// later go, and what stays keeps its order. Counting scores by intervals is several times cheaper
// than an exact selection. Returns a score that no value kept is below and no value dropped is
// above. There are at least k values, and k > 0.
//   score_of(value)  its score
template <typename T, typename ScoreOf>
float KeepBest(size_t k, std::vector<T>* values, ScoreOf score_of) {
  constexpr int kIntervalBits = 8;
  const auto bits_of = [&](const T& value) { return OrderedBits(score_of(value)); };
  uint32_t low = ~uint32_t{0}, high = 0;
  for (const T& value : *values) {
    low = std::min(low, bits_of(value));
    high = std::max(high, bits_of(value));
  }
  size_t equals_kept = values->size();  // at most, of those whose score is `low`
  // The k-th best lies in low..high, `above` values are higher.
  for (size_t above = 0;;) {
    const uint32_t range = high - low;
    const int shift = std::max(0, static_cast<int>(std::bit_width(range)) - kIntervalBits);
    std::array<uint32_t, 1 << kIntervalBits> counts = {};
    for (const T& value : *values) {
      const uint32_t from_low = bits_of(value) - low;
      if (from_low <= range) ++counts[from_low >> shift];
    }
    uint32_t interval = range >> shift;
    for (; above + counts[interval] < k; --interval) above += counts[interval];
    low += interval << shift;
    if (above + counts[interval] <= k + k / 8) break;
    if (shift == 0) {
      equals_kept = k - above;
      break;
    }
    high = low + std::min((uint32_t{1} << shift) - 1, high - low);
  }
  // Without a branch, as no one could foresee it.
  size_t kept = 0;
  for (size_t i = 0; i < values->size(); ++i) {
    const T value = (*values)[i];
    (*values)[kept] = value;
    const auto is_equal = static_cast<size_t>(bits_of(value) == low);
    const size_t keeps_equal = is_equal & static_cast<size_t>(equals_kept > 0);
    equals_kept -= keeps_equal;
    kept += static_cast<size_t>(bits_of(value) > low) | keeps_equal;
  }
  values->resize(kept);
  return ScoreOfOrderedBits(low);
}

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_KEEP_BEST_H_
