#include "kernels/cpu/top_k.h"

#include <algorithm>

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
  std::nth_element(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(k_) - 1, kept_.end(),
                   Better);
  kept_.resize(k_);
  full_ = true;
  threshold_ = kept_[k_ - 1].score;
}

const std::vector<Candidate>& TopK::Sorted() {
  if (kept_.size() > k_) Cut();
  std::sort(kept_.begin(), kept_.end(), Better);
  return kept_;
}

}  // namespace winnow::kernels
