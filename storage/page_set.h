#ifndef WINNOW_STORAGE_PAGE_SET_H_
#define WINNOW_STORAGE_PAGE_SET_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/page_arena.h"
#include "storage/page_copies.h"
#include "storage/page_mirror.h"
#include "storage/profile.h"

namespace winnow {

// Entries of a stripe, the run of positions that lives on one slot.
inline constexpr uint32_t kStripeEntries = 4096;
// Positions stay below 2^31, so that a selection can travel as int32.
inline constexpr uint32_t kMaxStripes = (uint32_t{1} << 31) / kStripeEntries;
inline constexpr uint32_t kStripePages = kStripeEntries / kernels::kPageEntries;

enum class Plane : uint8_t { kIndex = 0, kKv = 1 };

// "index" or "kv".
const char* PlaneName(Plane plane);

// Bytes of one entry of the plane.
inline size_t EntryBytes(const Profile& profile, Plane plane) {
  return plane == Plane::kIndex ? profile.key_bytes() : profile.row_bytes();
}

// Where a page or a row lies.
struct Place {
  const std::byte* host = nullptr;
  const std::byte* device = nullptr;  // its copy in a device's memory; null where there is none

  friend bool operator==(const Place&, const Place&) = default;
};

// The pages in memory of one plane of one layer of a stripe, each with an XXH3 of its entries. One
// thread writes at a time; entries that were written before are read without a lock meanwhile.
class PageSet {
 public:
  // The arena and the mirror, null for none, must outlive the set and its forks.
  PageSet(std::shared_ptr<const Profile> profile, Plane plane, PageArena* arena,
          PageMirror* mirror);

  // Takes the pages that are missing below `end`. RESOURCE_EXHAUSTED if there is no memory; what
  // was taken until then is kept.
  absl::Status Reserve(uint32_t end);
  // Gives back the pages that lie wholly at or above `entries`.
  void Trim(uint32_t entries);

  // Entry-major bytes of entries [first, first + count), whose pages are there: index keys are
  // arranged by ArrangeKeys. Entries are written once, in order.
  void Write(uint32_t first, uint32_t count, const std::byte* entries);
  // The inverse of Write.
  void Read(uint32_t first, uint32_t count, std::byte* entries) const;

  Place page(uint32_t page) const {
    return {.host = pages_[page].host.get(), .device = pages_[page].copy.get()};
  }
  // Where the addresses of the first `pages` pages' copies are listed on the device, for a reader
  // that knows of entries in all of them; null where not all have copies or there was no room for
  // the list, and for KV rows, which are read one by one.
  const std::byte* const* table(uint32_t pages) const { return table_.Find(pages); }
  // A KV row.
  Place row(uint32_t entry) const;

  // The same pages without copies on the device, which those who read this set keep. Pages that
  // are reserved later get copies again.
  std::shared_ptr<PageSet> WithoutCopies() const;
  // The same pages, all of them with copies; `entries` is the end of what was written, and nothing
  // may be written, nor the set used, before the mirror's background(), by which they are made, is
  // published. There must be a mirror. RESOURCE_EXHAUSTED DEVICE_MEMORY if there is no room for
  // all, and then none of it is kept; errors of PageMirror::Write.
  absl::StatusOr<std::shared_ptr<PageSet>> WithCopies(uint32_t entries) const;
  // Bytes of the pages with a copy and of those without one.
  uint64_t mirrored_bytes() const { return mirrored_ * page_bytes(); }
  uint64_t unmirrored_bytes() const { return unmirrored_ * page_bytes(); }

  // A set with the first `entries`: full pages are shared, a partial one is copied. The mirror is
  // not published.
  absl::StatusOr<std::shared_ptr<PageSet>> Fork(uint32_t entries) const;

  // Whether the page's bytes match its checksum, where `entries` is the end of what was written.
  // Not to be called while entries are written.
  bool IsSound(uint32_t page, uint32_t entries) const;
  // The first page below `entries` that is not sound.
  std::optional<uint32_t> FindDamage(uint32_t entries) const;

  // A set that was found damaged is not to be read any more.
  void MarkDamaged() { damaged_.store(true, std::memory_order_relaxed); }
  bool damaged() const { return damaged_.load(std::memory_order_relaxed); }

  // How many stripes hold on to the set, those who only read it apart. The memory of a set that a
  // fork shares is not free before the last lets go.
  int holders() const { return holders_.load(std::memory_order_relaxed); }
  void AddHolders(int change) { holders_.fetch_add(change, std::memory_order_relaxed); }

 private:
  struct Page {
    PageArena::Page host;
    PageMirror::Copy copy;
    std::shared_ptr<LastCopy> last_copy;  // null without a mirror
    uint64_t checksum = 0;                // sum of the checksums of its entries
  };

  size_t page_bytes() const;
  // A set that shares the first `pages` pages.
  std::shared_ptr<PageSet> Share(uint32_t pages) const;
  // Brings entries [first, first + count) of a page to its copy on the device, if it has one.
  absl::Status Mirror(PageMirror* by, const Page& page, uint32_t first, uint32_t count) const;
  // Goes on with the list of addresses up to page `end`, or the first page without a copy.
  absl::Status ListPages(PageMirror* by, uint32_t end);
  void CountPages();

  // Constant after construction.
  const std::shared_ptr<const Profile> profile_;
  const Plane plane_;
  PageArena* const arena_;
  PageMirror* const mirror_;

  std::array<Page, kStripePages> pages_;
  PageTable table_;
  // Pages with a copy and without one.
  std::atomic<uint32_t> mirrored_ = 0;
  std::atomic<uint32_t> unmirrored_ = 0;
  std::atomic<bool> damaged_ = false;
  std::atomic<int> holders_ = 0;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_PAGE_SET_H_
