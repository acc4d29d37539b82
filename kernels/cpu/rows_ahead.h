#ifndef WINNOW_KERNELS_CPU_ROWS_AHEAD_H_
#define WINNOW_KERNELS_CPU_ROWS_AHEAD_H_

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

// Asks for the rows of a task that are not fetched at once, and then for those that its thread is
// likely to fetch next, a few lines between products.
class RowsAhead {
 public:
  // fetched: rows of the task that need not be asked for
  RowsAhead(const AttendParams& params, const AttendTask& task, int fetched)
      : row_bytes_(RowBytes(params.format, params.latent_dim, params.rope_dim)),
        row_(params.rows + task.first_row + std::min(fetched, task.rows)),
        end_(params.rows + task.first_row + task.rows),
        next_row_(params.rows + task.next_row),
        next_end_(next_row_ + std::min(fetched, task.next_rows)) {}

  void Ask(int lines) {
    for (; lines > 0; --lines) {
      if (row_ == end_) {
        if (next_row_ == next_end_) return;
        row_ = std::exchange(next_row_, next_end_);
        end_ = next_end_;
      }
      __builtin_prefetch(*row_ + at_, 0, kSecondLevel);
      at_ += kLineBytes;
      if (at_ < row_bytes_) continue;
      at_ = 0;
      ++row_;
    }
  }

 private:
  static constexpr size_t kLineBytes = 64;
  static constexpr int kSecondLevel = 2;

  const size_t row_bytes_;
  const std::byte* const* row_;
  const std::byte* const* end_;
  const std::byte* const* next_row_;
  const std::byte* const* const next_end_;
  size_t at_ = 0;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_ROWS_AHEAD_H_
