#include "storage/residency.h"

#include <algorithm>
#include <numeric>

namespace winnow {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
// Three segments are in memory at once, so that they take a sixteenth of the budget.
constexpr size_t kSegmentShare = 48;
constexpr size_t kMinSegmentBytes = 4 * kMiB;
constexpr size_t kMaxSegmentBytes = 128 * kMiB;
constexpr size_t kSegmentsInMemory = 3;
constexpr size_t kRowCacheShare = 16;
constexpr size_t kBlockCacheShare = 32;
constexpr size_t kUnlimitedCacheBytes = 256 * kMiB;

}  // namespace

MemorySplit SplitBudget(size_t budget_bytes) {
  if (budget_bytes == 0) {
    return {.segment_bytes = kMaxSegmentBytes,
            .row_cache_bytes = kUnlimitedCacheBytes,
            .block_cache_bytes = kUnlimitedCacheBytes};
  }
  MemorySplit split = {
      .segment_bytes = std::clamp(budget_bytes / kSegmentShare, kMinSegmentBytes, kMaxSegmentBytes),
      .row_cache_bytes = budget_bytes / kRowCacheShare,
      .block_cache_bytes = budget_bytes / kBlockCacheShare};
  const size_t others =
      kSegmentsInMemory * split.segment_bytes + split.row_cache_bytes + split.block_cache_bytes;
  split.page_bytes = budget_bytes - std::min(others, budget_bytes / 2);
  return split;
}

std::vector<Victim> ChooseVictims(std::span<const ContextResidency> contexts, uint64_t bytes,
                                  const SpillLimits& limits) {
  std::vector<size_t> by_use(contexts.size());
  std::iota(by_use.begin(), by_use.end(), size_t{0});
  std::stable_sort(by_use.begin(), by_use.end(), [&](size_t a, size_t b) {
    return contexts[a].last_used < contexts[b].last_used;
  });
  std::vector<Victim> victims;
  for (const Plane plane : {Plane::kKv, Plane::kIndex}) {
    const bool kv = plane == Plane::kKv;
    const absl::Time used_before = kv ? limits.kv_used_before : limits.index_used_before;
    for (const size_t i : by_use) {
      if (bytes == 0) return victims;
      const ContextResidency& context = contexts[i];
      const uint64_t held = std::min(kv ? context.kv_bytes : context.index_bytes, bytes);
      if (context.pinned || held == 0 || context.last_used >= used_before) continue;
      victims.push_back({.context = i, .plane = plane, .bytes = held});
      bytes -= held;
    }
  }
  return victims;
}

}  // namespace winnow
