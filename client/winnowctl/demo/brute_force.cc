#include "client/winnowctl/demo/brute_force.h"

#include <algorithm>

#include "client/winnowctl/demo/induction_profile.h"

namespace winnow::ctl {
namespace {

// Ones in a word, in plain arithmetic so that compilers vectorise the loop around it.
uint32_t CountOnes(uint32_t x) {
  x -= x >> 1 & 0x55555555;
  x = (x & 0x33333333) + (x >> 2 & 0x33333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f;
  return x * 0x01010101 >> 24;
}

}  // namespace

void BruteForce::Add(const SuffixCodes& codes) {
  for (size_t i = 0; i < kOrders.size(); ++i) index_[i].push_back(codes.index[i]);
}

void BruteForce::Truncate(size_t entries) {
  for (auto& order : index_) order.resize(entries);
}

SuffixCodes BruteForce::IndexCodesAt(size_t position) const {
  SuffixCodes codes = {};
  for (size_t i = 0; i < kOrders.size(); ++i) codes.index[i] = index_[i][position];
  return codes;
}

BruteForce::Selected BruteForce::Select(const SuffixCodes& query, size_t visible_entries,
                                        size_t k) {
  scores_.assign(visible_entries, 0);
  for (size_t i = 0; i < kOrders.size(); ++i) {
    const uint32_t* codes = index_[i].data();
    const uint32_t wanted = query.index[i];
    const int weight = kOrderWeights[i];
    for (size_t p = 0; p < visible_entries; ++p) {
      const int agreement = 32 - 2 * static_cast<int>(CountOnes(codes[p] ^ wanted));
      scores_[p] = static_cast<uint16_t>(scores_[p] + weight * std::max(0, agreement));
    }
  }
  // Places of each score in the result, from the best score down.
  std::vector<size_t> place(kFullScore + 1, 0);
  for (const uint16_t score : scores_) ++place[score];
  size_t better = 0;
  for (int score = kFullScore; score >= 0; --score) {
    better += std::exchange(place[static_cast<size_t>(score)], better);
  }
  const size_t count = std::min(k, visible_entries);
  Selected selected{std::vector<int32_t>(count), std::vector<float>(count)};
  for (size_t p = 0; p < visible_entries; ++p) {
    const size_t at = place[scores_[p]]++;
    if (at >= count) continue;
    selected.positions[at] = static_cast<int32_t>(p);
    selected.scores[at] = scores_[p];
  }
  return selected;
}

}  // namespace winnow::ctl
