#ifndef WINNOW_SERVICES_SHARD_SCORE_RUN_H_
#define WINNOW_SERVICES_SHARD_SCORE_RUN_H_

#include <cstddef>
#include <cstdint>

#include "storage/page_set.h"

namespace winnow::shard {

// Index keys of consecutive positions, of one stripe, in pages that are full but for the last. What
// it points to is borrowed.
struct ScoreRun {
  uint32_t first_position = 0;
  uint32_t entries = 0;

  // Its pages are those of `set` from first_page on; or, where that is null, those at `packed`, in
  // host memory, one every packed_stride bytes.
  const PageSet* set = nullptr;
  const std::byte* packed = nullptr;
  size_t packed_stride = 0;
  uint32_t first_page = 0;
  // Read on the host instead of the last page, which may still grow; may be null.
  const std::byte* open_page = nullptr;
  // Where the pages' addresses are listed on the device, as PageSet::table; may be null.
  const std::byte* const* table = nullptr;

  uint32_t pages() const { return (entries + kernels::kPageEntries - 1) / kernels::kPageEntries; }
  Place page(uint32_t i) const {
    if (set == nullptr) return {.host = packed + (first_page + i) * packed_stride};
    Place place = set->page(first_page + i);
    if (open_page != nullptr && i + 1 == pages()) place.host = open_page;
    return place;
  }

  // Pages without a copy on the device.
  uint32_t warm_pages() const {
    uint32_t warm = 0;
    for (uint32_t i = 0; table == nullptr && i < pages(); ++i) warm += page(i).device == nullptr;
    return warm;
  }

  // The first `count` pages, of which there are more; and what comes after them.
  ScoreRun First(uint32_t count) const {
    ScoreRun run = *this;
    run.entries = count * kernels::kPageEntries;
    run.open_page = nullptr;
    return run;
  }
  ScoreRun After(uint32_t count) const {
    ScoreRun run = *this;
    run.first_position += count * kernels::kPageEntries;
    run.entries -= count * kernels::kPageEntries;
    run.first_page += count;
    if (table != nullptr) run.table += count;
    return run;
  }
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SCORE_RUN_H_
