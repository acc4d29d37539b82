#include "storage/rocksdb/segment_book.h"

#include <algorithm>
#include <utility>

namespace winnow {

std::shared_ptr<const Extent> SegmentBook::Take(uint64_t number, uint32_t segment) {
  absl::MutexLock lock(&mu_);
  Entry& entry = entries_[{segment, number}];
  if (auto extent = entry.extent.lock()) return extent;
  // An extent that is being let go right now finds another generation and changes nothing.
  entry.bytes = 0;
  entry.unlogged = false;
  entry.generation = ++next_generation_;
  auto extent = std::make_shared<const Extent>(
      number, segment, [book = weak_from_this(), number, segment, generation = entry.generation] {
        if (auto held = book.lock()) held->Release(number, segment, generation);
      });
  entry.extent = extent;
  return extent;
}

void SegmentBook::Release(uint64_t number, uint32_t segment, uint64_t generation) {
  absl::MutexLock lock(&mu_);
  const auto found = entries_.find({segment, number});
  if (found == entries_.end() || found->second.generation != generation) return;
  entries_.erase(found);
  released_ = true;
}

void SegmentBook::Pin(uint64_t number, std::shared_ptr<const Extent> extent) {
  absl::MutexLock lock(&mu_);
  pinned_[number].insert(std::move(extent));
}

void SegmentBook::Unpin(uint64_t number) {
  decltype(pinned_)::node_type let_go;  // after the lock, for its extents ask for it
  absl::MutexLock lock(&mu_);
  let_go = pinned_.extract(number);
}

void SegmentBook::Wrote(const Extent& extent, uint64_t bytes, bool logged) {
  absl::MutexLock lock(&mu_);
  Entry& entry = entries_[{extent.segment(), extent.context_number()}];
  entry.bytes += bytes;
  entry.unlogged |= !logged;
}

bool SegmentBook::IsAlive(uint64_t number, uint32_t segment) const {
  absl::MutexLock lock(&mu_);
  return entries_.contains({segment, number});
}

bool SegmentBook::IsUnlogged(const Extent& extent) const {
  absl::MutexLock lock(&mu_);
  const auto found = entries_.find({extent.segment(), extent.context_number()});
  return found != entries_.end() && found->second.unlogged;
}

uint64_t SegmentBook::LiveBytes(uint32_t first, uint32_t last) const {
  absl::MutexLock lock(&mu_);
  uint64_t bytes = 0;
  for (auto i = entries_.lower_bound({first, 0}); i != entries_.end() && i->first.first <= last;
       ++i) {
    bytes += std::max<uint64_t>(i->second.bytes, 1);
  }
  return bytes;
}

std::vector<std::pair<uint64_t, uint64_t>> SegmentBook::Extents(uint32_t segment) const {
  absl::MutexLock lock(&mu_);
  std::vector<std::pair<uint64_t, uint64_t>> extents;
  for (auto i = entries_.lower_bound({segment, 0});
       i != entries_.end() && i->first.first == segment; ++i) {
    extents.emplace_back(i->first.second, i->second.bytes);
  }
  return extents;
}

void SegmentBook::AwaitRelease(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  mu_.AwaitWithTimeout(absl::Condition(this, &SegmentBook::Woken), timeout);
  released_ = false;
}

bool SegmentBook::AwaitClosed(absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&closed_), timeout);
}

void SegmentBook::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

bool SegmentBook::closed() const {
  absl::MutexLock lock(&mu_);
  return closed_;
}

}  // namespace winnow
