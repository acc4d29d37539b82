#ifndef WINNOW_KERNELS_CPU_SURVIVORS_H_
#define WINNOW_KERNELS_CPU_SURVIVORS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/cpu/scratch.h"

namespace winnow::kernels {

// Keys of entries that passed the sieve of one query row, until there are as many as a page holds,
// so that they are scored as cheaply as those of any page. Entry-major, because they come one by
// one: each in a page's order would touch a cache line for every few bytes.
class Survivors {
 public:
  // Makes ready for keys of this shape; keeps its memory.
  void Reset(const ScoreQuery& query) {
    format_ = query.format;
    dim_ = query.dim;
    key_bytes_ = KeyBytes(format_, dim_);
    keys_ = memory_.Get(KeyPageBytes(format_, dim_));
    count_ = 0;
  }

  bool full() const { return count_ == kPageEntries; }
  bool empty() const { return count_ == 0; }
  // There must be room.
  void Add(const std::byte* page, int entry, uint32_t position) {
    ExtractKeys(format_, dim_, page, entry, 1, keys_ + count_ * key_bytes_);
    positions_[count_++] = position;
  }
  void Clear() { count_ = 0; }

  // Writes the keys into a page of KeyPageBytes, as its first entries.
  void ArrangeIn(std::byte* page) const { ArrangeKeys(format_, dim_, keys_, 0, count_, page); }
  std::span<const uint32_t> positions() const {
    return std::span(positions_).first(static_cast<size_t>(count_));
  }

 private:
  KeyFormat format_ = KeyFormat::kFp8E4M3;
  int dim_ = 0;
  size_t key_bytes_ = 0;
  int count_ = 0;
  std::byte* keys_ = nullptr;  // [64, key_bytes_]
  Scratch memory_;
  std::array<uint32_t, kPageEntries> positions_;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SURVIVORS_H_
