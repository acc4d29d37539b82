#ifndef WINNOW_KERNELS_CUDA_HBM_ARENA_H_
#define WINNOW_KERNELS_CUDA_HBM_ARENA_H_

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

// Pages of device memory out of one allocation that is taken at the start. The memory is divided
// into slabs; a slab holds pages of one size while any of them is in use, and may then hold pages
// of another. Thread-safe.
class HbmArena {
 public:
  static constexpr size_t kSlabBytes = size_t{2} << 20;
  static constexpr size_t kPageAlignment = 256;

  // Takes bytes rounded down to whole slabs. The device must outlive the arena.
  [[nodiscard]] static Error Create(DeviceApi& device, size_t bytes,
                                    std::unique_ptr<HbmArena>* arena);
  ~HbmArena();
  HbmArena(const HbmArena&) = delete;
  HbmArena& operator=(const HbmArena&) = delete;

  // A page of `bytes`, at most a slab, 256-byte aligned and of any content; null when there is no
  // room, which leaves everything as it was.
  [[nodiscard]] std::byte* Take(size_t bytes);

  // Gives back a page that was taken; work on the device that reads it must be done.
  void Return(std::byte* page);

  // Where its memory begins, and whether a page is of it.
  const std::byte* memory() const { return memory_; }
  bool Holds(const std::byte* page) const {
    return page >= memory_ && page < memory_ + capacity_bytes();
  }

  size_t capacity_bytes() const { return slabs_.size() * kSlabBytes; }
  // What pages in use take of it: each its share of a slab, so that a full slab counts whole though
  // its pages leave a rest.
  size_t used_bytes() const;

 private:
  struct Slab {
    size_t page_bytes = 0;  // 0 while it holds none
    size_t used = 0;        // pages
    std::vector<int> free;  // indexes of pages
    std::vector<bool> taken;

    size_t used_bytes() const { return taken.empty() ? 0 : kSlabBytes * used / taken.size(); }
  };

  HbmArena(DeviceApi& device, std::byte* memory, size_t slabs);
  bool OpenSlab(size_t page_bytes);
  std::byte* TakeFrom(int slab);

  // Constant after construction.
  DeviceApi& device_;
  std::byte* const memory_;

  mutable std::mutex mu_;
  // Guarded by mu_.
  std::vector<Slab> slabs_;  // its size is constant
  std::vector<int> free_slabs_;
  std::map<size_t, std::vector<int>> with_room_;  // slabs with a free page, by page size
  size_t used_bytes_ = 0;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_HBM_ARENA_H_
