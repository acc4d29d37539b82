#include "kernels/cpu/top_k.h"

#include <algorithm>

#include "kernels/cpu/keep_best.h"

namespace winnow::kernels {
namespace {

// Room beyond k between two cuts, so that small k does not cut all the time.
constexpr size_t kMinSlack = 1024;

}  // namespace

void TopK::Reset(int k) {
  k_ = static_cast<size_t>(k);
  capacity_ = k_ + std::max(k_, kMinSlack);
  full_ = false;
  threshold_ = -std::numeric_limits<float>::infinity();
  kept_.clear();
  kept_.reserve(capacity_);
}

void TopK::Cut() {
  threshold_ = KeepBest(k_, &kept_, [](const Candidate& candidate) { return candidate.score; });
  full_ = true;
}

void TopK::Sort(float floor) {
  std::erase_if(kept_, [floor](const Candidate& candidate) { return candidate.score < floor; });
  if (kept_.size() > k_) Cut();
  std::sort(kept_.begin(), kept_.end(), Better);
  kept_.resize(std::min(kept_.size(), k_));
}

}  // namespace winnow::kernels
