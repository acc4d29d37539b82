#ifndef WINNOW_KERNELS_CPU_SURVIVORS_H_
#define WINNOW_KERNELS_CPU_SURVIVORS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/cpu/scratch.h"

namespace winnow::kernels {

// Entries of one query row that passed the sieve, side by side in a page of their own so that they
// are scored as cheaply as those of any page.
class Survivors {
 public:
  // Makes ready for keys of this shape; keeps its memory.
  void Reset(const ScoreQuery& query) {
    format_ = query.format;
    dim_ = query.dim;
    page_ = memory_.Get(KeyPageBytes(format_, dim_));
    count_ = 0;
  }

  bool full() const { return count_ == kPageEntries; }
  bool empty() const { return count_ == 0; }
  // There must be room.
  void Add(const std::byte* page, int entry, uint32_t position) {
    CopyKey(format_, dim_, page, entry, page_, count_);
    positions_[count_++] = position;
  }
  void Clear() { count_ = 0; }

  // KeyPageBytes; the first positions().size() entries are held.
  const std::byte* page() const { return page_; }
  std::span<const uint32_t> positions() const {
    return std::span(positions_).first(static_cast<size_t>(count_));
  }

 private:
  KeyFormat format_ = KeyFormat::kFp8E4M3;
  int dim_ = 0;
  int count_ = 0;
  std::byte* page_ = nullptr;
  Scratch memory_;
  std::array<uint32_t, kPageEntries> positions_;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SURVIVORS_H_
