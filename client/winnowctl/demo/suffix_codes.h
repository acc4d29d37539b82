#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_SUFFIX_CODES_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_SUFFIX_CODES_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace winnow::ctl {

// Lengths of the n-grams that are coded, and how much an agreement of each counts in a score.
inline constexpr std::array<size_t, 4> kOrders = {4, 8, 16, 32};
inline constexpr std::array<int, 4> kOrderWeights = {1, 2, 4, 8};
inline constexpr size_t kLongestOrder = kOrders.back();

// Hashes of the n-grams that end a text, read as signs: equal n-grams agree in all bits, others in
// about half of them.
struct SuffixCodes {
  std::array<uint32_t, kOrders.size()> index;    // for the index key, one word for each order
  std::array<uint64_t, kOrders.size()> context;  // for the KV row

  friend bool operator==(const SuffixCodes&, const SuffixCodes&) = default;
};

// Codes of what `text` ends with; where it is shorter than an order, of all of it.
SuffixCodes CodeSuffix(std::string_view text);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_SUFFIX_CODES_H_
