#ifndef WINNOW_KERNELS_CPU_NEXT_PAGE_H_
#define WINNOW_KERNELS_CPU_NEXT_PAGE_H_

#include <algorithm>
#include <cstddef>
#include <limits>

namespace winnow::kernels {

// Asks for the page that is scored next, a few cache lines at a time between the products of this
// one, which leave memory idle. Asked for at once they would hold up the products: a core waits for
// a few dozen lines at most.
class NextPage {
 public:
  // page: null if there is none. steps: how often AskForMore will be called, about.
  NextPage(const std::byte* page, size_t bytes, int steps)
      : at_(page),
        end_(page == nullptr ? nullptr : page + bytes),
        step_bytes_((bytes / std::max(steps, 1) / kLineBytes + 1) * kLineBytes) {}

  // Not inlined: between products, what it needs would take the registers of their sums.
  __attribute__((noinline)) void AskForMore() {
    const std::byte* const end = end_ - at_ > step_bytes_ ? at_ + step_bytes_ : end_;
    for (; at_ < end; at_ += kLineBytes) __builtin_prefetch(at_, 0, kSecondLevel);
  }

  // The same for so many lines, where registers are no concern.
  void Ask(int lines) {
    for (; lines > 0 && at_ < end_; --lines, at_ += kLineBytes) {
      __builtin_prefetch(at_, 0, kSecondLevel);
    }
  }
  void AskForAll() { Ask(std::numeric_limits<int>::max()); }

 private:
  static constexpr ptrdiff_t kLineBytes = 64;
  static constexpr int kSecondLevel = 2;

  const std::byte* at_;
  const std::byte* const end_;
  const ptrdiff_t step_bytes_;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_NEXT_PAGE_H_
