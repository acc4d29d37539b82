#ifndef WINNOW_KERNELS_CPU_SCRATCH_H_
#define WINNOW_KERNELS_CPU_SCRATCH_H_

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

// Aligned memory that grows and is kept, so that a hot path stops allocating after its first call.
class Scratch {
 public:
  // At least `bytes`, with unspecified contents; valid until the next call.
  std::byte* Get(size_t bytes) {
    if (bytes > size_) {
      size_ = (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
      memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kScratchAlignment, size_)));
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  size_t size_ = 0;
  std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SCRATCH_H_
