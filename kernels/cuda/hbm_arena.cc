#include "kernels/cuda/hbm_arena.h"

#include <algorithm>
#include <cassert>

namespace winnow::kernels::cuda {
namespace {

size_t RoundUp(size_t bytes) {
  constexpr size_t kUnit = HbmArena::kPageAlignment;
  return std::max(kUnit, (bytes + kUnit - 1) / kUnit * kUnit);
}

}  // namespace

Error HbmArena::Create(DeviceApi& device, size_t bytes, std::unique_ptr<HbmArena>* arena) {
  const size_t slabs = bytes / kSlabBytes;
  if (slabs == 0) {
    return "an arena of " + std::to_string(bytes) + " bytes; at least " +
           std::to_string(kSlabBytes) + " are needed";
  }
  std::byte* memory = nullptr;
  if (Error error = device.Allocate(slabs * kSlabBytes, &memory); !error.empty()) return error;
  arena->reset(new HbmArena(device, memory, slabs));
  return "";
}

HbmArena::HbmArena(DeviceApi& device, std::byte* memory, size_t slabs)
    : device_(device), memory_(memory), slabs_(slabs) {
  for (size_t i = slabs; i > 0; --i) free_slabs_.push_back(static_cast<int>(i - 1));
}

HbmArena::~HbmArena() { device_.Free(memory_); }

std::byte* HbmArena::Take(size_t bytes) {
  const size_t page_bytes = RoundUp(bytes);
  if (page_bytes > kSlabBytes) return nullptr;
  const std::scoped_lock lock(mu_);
  const auto found = with_room_.find(page_bytes);
  if (found == with_room_.end() && !OpenSlab(page_bytes)) return nullptr;
  return TakeFrom(with_room_[page_bytes].back());
}

bool HbmArena::OpenSlab(size_t page_bytes) {
  if (free_slabs_.empty()) return false;
  const int index = free_slabs_.back();
  free_slabs_.pop_back();
  const auto pages = static_cast<int>(kSlabBytes / page_bytes);
  Slab& slab = slabs_[index];
  slab.page_bytes = page_bytes;
  slab.taken.assign(pages, false);
  for (int i = pages; i > 0; --i) slab.free.push_back(i - 1);
  with_room_[page_bytes].push_back(index);
  return true;
}

std::byte* HbmArena::TakeFrom(int index) {
  Slab& slab = slabs_[index];
  const int page = slab.free.back();
  slab.free.pop_back();
  slab.taken[page] = true;
  used_bytes_ -= slab.used_bytes();
  ++slab.used;
  used_bytes_ += slab.used_bytes();
  if (slab.free.empty()) {
    // It is the last of its list: pages are only taken from there.
    std::vector<int>& list = with_room_[slab.page_bytes];
    list.pop_back();
    if (list.empty()) with_room_.erase(slab.page_bytes);
  }
  return memory_ + index * kSlabBytes + page * slab.page_bytes;
}

void HbmArena::Return(std::byte* page) {
  const std::scoped_lock lock(mu_);
  const auto offset = static_cast<size_t>(page - memory_);
  const auto index = static_cast<int>(offset / kSlabBytes);
  Slab& slab = slabs_.at(index);
  const auto place = static_cast<int>(offset % kSlabBytes / slab.page_bytes);
  assert(offset % kSlabBytes % slab.page_bytes == 0 && slab.taken.at(place));
  slab.taken[place] = false;
  slab.free.push_back(place);
  used_bytes_ -= slab.used_bytes();
  --slab.used;
  used_bytes_ += slab.used_bytes();
  std::vector<int>& list = with_room_[slab.page_bytes];
  if (slab.free.size() == 1) list.push_back(index);
  if (slab.used > 0) return;
  std::erase(list, index);
  if (list.empty()) with_room_.erase(slab.page_bytes);
  slab = {};
  free_slabs_.push_back(index);
}

size_t HbmArena::used_bytes() const {
  const std::scoped_lock lock(mu_);
  return used_bytes_;
}

}  // namespace winnow::kernels::cuda
