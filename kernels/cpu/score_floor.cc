#include "kernels/cpu/score_floor.h"

#include <algorithm>
#include <functional>

namespace winnow::kernels {

void ScoreFloor::Reset(int k) {
  k_ = static_cast<size_t>(k);
  floor_ = -std::numeric_limits<float>::infinity();
  best_.clear();
  best_.reserve(2 * k_);
}

void ScoreFloor::Note(std::span<const float> scores) {
  const float known = floor();
  if (std::ranges::none_of(scores, [known](float score) { return score > known; })) return;
  const std::lock_guard lock(mu_);
  for (const float score : scores) {
    if (!(score > floor())) continue;
    best_.push_back(score);
    if (best_.size() < 2 * k_) continue;
    const auto last = best_.begin() + static_cast<ptrdiff_t>(k_) - 1;
    std::nth_element(best_.begin(), last, best_.end(), std::greater<>());
    floor_.store(*last, std::memory_order_relaxed);
    best_.resize(k_);
  }
}

}  // namespace winnow::kernels
