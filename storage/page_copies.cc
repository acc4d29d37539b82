#include "storage/page_copies.h"

#include <algorithm>
#include <bit>

namespace winnow {

// Pointers are stored as they are.
static_assert(std::endian::native == std::endian::little && sizeof(std::byte*) == 8);

absl::Status PageTable::List(PageMirror& mirror, std::span<const std::byte* const> copies) {
  if (copies.empty()) return absl::OkStatus();
  if (block_ == nullptr) block_ = mirror.AddTable(capacity_ * sizeof(std::byte*));
  if (block_ == nullptr) return absl::OkStatus();
  const uint32_t first = listed();
  absl::Status status = mirror.Write(block_, first * sizeof(std::byte*), std::as_bytes(copies));
  if (status.ok()) {
    listed_.store(first + static_cast<uint32_t>(copies.size()), std::memory_order_release);
  }
  return status;
}

void PageTable::Trim(uint32_t pages) {
  listed_.store(std::min(listed(), pages), std::memory_order_release);
}

}  // namespace winnow
