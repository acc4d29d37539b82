#ifndef WINNOW_KERNELS_CPU_SIEVE_TRIAL_H_
#define WINNOW_KERNELS_CPU_SIEVE_TRIAL_H_

#include <algorithm>
#include <cstdint>

namespace winnow::kernels {

// Whether to sieve the next page: not for a while after pages of which too much passed, and longer
// each time that happens again.
class SieveTrial {
 public:
  bool worthwhile() const { return pages_to_wait_ == 0; }

  // A page went by unsieved.
  void Wait() { pages_to_wait_ -= 1; }

  // A page was sieved: of `entries` times query rows, `passed` did.
  void Count(uint64_t entries, uint64_t passed) {
    entries_ += entries;
    passed_ += passed;
    if (++pages_ < kPages) return;
    // A bound costs about half of a score, so that a quarter leaves a gain.
    waits_ = passed_ * 4 > entries_ ? std::min(2 * waits_ + 1, kMostWaits) : 0;
    pages_to_wait_ = waits_ * kPages;
    pages_ = 0;
    entries_ = passed_ = 0;
  }

 private:
  static constexpr int kPages = 16;  // of a trial, and of a wait
  static constexpr int kMostWaits = 15;

  int pages_ = 0;
  uint64_t entries_ = 0;
  uint64_t passed_ = 0;
  int waits_ = 0;
  int pages_to_wait_ = 0;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SIEVE_TRIAL_H_
