#include "kernels/cpu/score_floor.h"

#include <algorithm>
#include <functional>

namespace winnow::kernels {
namespace {

// Scores kept before the floor rises again: the fewer, the closer it follows; each of them is moved
// about this many times on the way.
constexpr size_t kMoves = 4;

size_t CapacityFor(size_t k) { return k + k / kMoves + 1; }

}  // namespace

void ScoreFloor::Reset(int k) {
  k_ = static_cast<size_t>(k);
  floor_ = -std::numeric_limits<float>::infinity();
  best_.clear();
  best_.reserve(CapacityFor(k_));
}

void ScoreFloor::Note(std::span<const float> scores) {
  const float known = floor();
  if (std::ranges::none_of(scores, [known](float score) { return score > known; })) return;
  const std::lock_guard lock(mu_);
  for (const float score : scores) {
    if (!(score > floor())) continue;
    best_.push_back(score);
    if (best_.size() < CapacityFor(k_)) continue;
    const auto last = best_.begin() + static_cast<ptrdiff_t>(k_) - 1;
    std::nth_element(best_.begin(), last, best_.end(), std::greater<>());
    floor_.store(*last, std::memory_order_relaxed);
    best_.resize(k_);
  }
}

}  // namespace winnow::kernels
