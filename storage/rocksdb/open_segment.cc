#include "storage/rocksdb/open_segment.h"

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow {

absl::Status OpenSegment::Check(uint64_t number, uint32_t stripe,
                                std::span<const StoreWrite> writes) const {
  absl::MutexLock lock(&mu_);
  for (const StoreWrite& write : writes) {
    const auto found = ranges_.find({number, stripe, write.layer});
    if (found != ranges_.end() && found->second.end != write.first) {
      return Error(absl::StatusCode::kInternal, "STORE_GAP",
                   absl::StrCat("layer ", write.layer, " of stripe ", stripe, " ends at ",
                                found->second.end, " but is written at ", write.first));
    }
  }
  return absl::OkStatus();
}

void OpenSegment::Add(uint64_t number, uint32_t stripe, std::span<const StoreWrite> writes) {
  absl::MutexLock lock(&mu_);
  for (const StoreWrite& write : writes) {
    const uint32_t end = write.first + write.count;
    const auto [range, added] =
        ranges_.try_emplace({number, stripe, write.layer}, Range{write.first, end});
    if (!added) range->second.end = end;
  }
}

void OpenSegment::Forget(uint64_t number) {
  absl::MutexLock lock(&mu_);
  absl::erase_if(ranges_,
                 [number](const auto& entry) { return std::get<0>(entry.first) == number; });
}

void OpenSegment::Clear() {
  absl::MutexLock lock(&mu_);
  ranges_.clear();
  bytes_.store(0, std::memory_order_relaxed);
  record_bytes_.store(0, std::memory_order_relaxed);
}

std::vector<OpenRun> OpenSegment::runs() const {
  absl::MutexLock lock(&mu_);
  std::vector<OpenRun> runs;
  runs.reserve(ranges_.size());
  for (const auto& [place, range] : ranges_) {
    const auto& [number, stripe, layer] = place;
    runs.push_back({number, stripe, layer, range.first, range.end});
  }
  return runs;
}

}  // namespace winnow
