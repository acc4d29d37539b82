#ifndef WINNOW_KERNELS_CPU_TOP_K_H_
#define WINNOW_KERNELS_CPU_TOP_K_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kernels/candidate.h"

namespace winnow::kernels {

// The best k candidates of a stream whose positions ascend. Keeps up to twice k, or k + 1024
// where that is more, and cuts back by selection, so a candidate costs a comparison once the
// threshold stands, and O(1) amortised before.
class TopK {
 public:
  // Makes ready for a new stream; keeps its memory.
  void Reset(int k);

  // A score that is not above this cannot be among the best k any more: its position is higher than
  // those that made the threshold. Starts at -inf with every score accepted through Push.
  float threshold() const { return threshold_; }
  bool full() const { return full_; }

  // score must not be NaN.
  void Push(float score, uint32_t position) {
    if (full_ && !(score > threshold_)) return;
    kept_.push_back({score, position});
    if (kept_.size() == capacity_) Cut();
  }

  // Ends the stream: sorts the best k but for those whose score is below `floor`.
  void Sort(float floor);
  // Best first; after Sort.
  std::span<const Candidate> sorted() const { return kept_; }

 private:
  void Cut();

  size_t k_ = 0;
  size_t capacity_ = 0;
  bool full_ = false;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> kept_;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_TOP_K_H_
