#ifndef WINNOW_KERNELS_SCORE_ORDER_H_
#define WINNOW_KERNELS_SCORE_ORDER_H_

#include <bit>
#include <cstdint>
#include <limits>

namespace winnow::kernels {

// Integers in the order of scores, which are not NaN; -0 comes before 0.
inline uint32_t OrderedBits(float score) {
  const auto bits = std::bit_cast<int32_t>(score);
  return static_cast<uint32_t>(bits ^ (bits >> 31 | std::numeric_limits<int32_t>::min()));
}
inline float ScoreOfOrderedBits(uint32_t ordered) {
  const auto bits = static_cast<int32_t>(ordered);
  return std::bit_cast<float>(bits ^ (~bits >> 31 | std::numeric_limits<int32_t>::min()));
}

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_SCORE_ORDER_H_
