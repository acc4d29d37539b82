#ifndef WINNOW_KERNELS_CPU_SCORE_FLOOR_H_
#define WINNOW_KERNELS_CPU_SCORE_FLOOR_H_

#include <atomic>
#include <cstddef>
#include <limits>
#include <mutex>
#include <span>
#include <vector>

namespace winnow::kernels {

// What a row's k-th best score is at least, as far as the threads of a scan know together: each by
// itself would know little where they are many. Thread-safe but for Reset.
class ScoreFloor {
 public:
  // Makes ready for a new scan; keeps its memory.
  void Reset(int k);

  // An entry with a score below it is not among the best k. Rises; -inf until some more than k
  // scores are known.
  float floor() const { return floor_.load(std::memory_order_relaxed); }

  // Takes note of scores of entries that were not noted before. They must not be NaN.
  void Note(std::span<const float> scores);

 private:
  size_t k_ = 0;  // constant during a scan
  std::atomic<float> floor_ = -std::numeric_limits<float>::infinity();
  std::mutex mu_;
  std::vector<float> best_;  // guarded by mu_: the best k and a few more
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SCORE_FLOOR_H_
