#include "kernels/cpu/score_floor.h"

#include <algorithm>
#include <functional>

#include "kernels/cpu/keep_best.h"

namespace winnow::kernels {
namespace {

// Scores kept before the floor rises again: the fewer, the closer it follows, and the more often
// each of them is looked at. More than KeepBest leaves.
size_t CapacityFor(size_t k) { return k + k / 4 + 1; }

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
    floor_.store(KeepBest(k_, &best_, std::identity()), std::memory_order_relaxed);
  }
}

}  // namespace winnow::kernels
