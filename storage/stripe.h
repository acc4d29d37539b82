#ifndef WINNOW_STORAGE_STRIPE_H_
#define WINNOW_STORAGE_STRIPE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/page_arena.h"
#include "storage/page_mirror.h"
#include "storage/profile.h"

namespace winnow {

// Entries of a stripe, the run of positions that lives on one slot.
inline constexpr uint32_t kStripeEntries = 4096;
inline constexpr uint32_t kStripePages = kStripeEntries / kernels::kPageEntries;

// Entries of one layer as they travel.
struct LayerBytes {
  int layer = 0;
  std::span<const std::byte> index_keys;  // [count, key_bytes]; empty where the layer has no index
  std::span<const std::byte> kv_rows;     // [count, row_bytes]
};

// Where a page or a row lies.
struct Place {
  const std::byte* host = nullptr;
  const std::byte* device = nullptr;  // its copy in a device's memory; null where there is none

  friend bool operator==(const Place&, const Place&) = default;
};

// Pages of all layers for kStripeEntries consecutive positions. Entries are only ever added:
// those below entries(layer) never change, so a reader needs no lock. Thread-safe.
class Stripe {
 public:
  // The arena and the mirror, null for none, must outlive the stripe and its forks.
  Stripe(std::shared_ptr<const Profile> profile, PageArena* arena, PageMirror* mirror = nullptr);
  ~Stripe();

  // Entries of the layer that are readable, 0..kStripeEntries.
  uint32_t entries(int layer) const;

  // Writes [offset, offset + count) of the given layers, all or nothing: entries that are already
  // there are compared. The caller has validated layers and byte counts.
  // Returns the number of entries written (over all layers).
  // ABORTED APPEND_CONFLICT (fact "offset": first entry whose bytes differ), OUT_OF_RANGE
  // APPEND_GAP (fact "entries": where the layer ends), RESOURCE_EXHAUSTED if there is no memory.
  absl::StatusOr<uint64_t> Append(uint32_t offset, uint32_t count,
                                  std::span<const LayerBytes> layers);

  // The checks of Append alone: APPEND_CONFLICT, APPEND_GAP, or OK.
  absl::Status Compare(uint32_t offset, uint32_t count, std::span<const LayerBytes> layers) const;

  // Page `page` of the layer, valid if it begins below entries(layer); arranged by ArrangeKeys.
  Place KeyPage(int layer, uint32_t page) const;
  // Row `offset`, valid below entries(layer).
  Place KvRow(int layer, uint32_t offset) const;

  // A stripe with the first `entries` entries of each layer (or all it has, if fewer). Full pages
  // are shared, the partial one is copied.
  absl::StatusOr<std::shared_ptr<Stripe>> Fork(uint32_t entries) const;

 private:
  struct Layer;
  struct Page {
    PageArena::Page host;
    PageMirror::Copy copy;
  };
  struct NewPage {
    int layer;
    uint32_t page;
    Page keys;  // none where the layer has no index
    Page rows;
  };

  // That the append leaves no gap and repeats what is held.
  absl::Status CheckOverlap(uint32_t offset, uint32_t count, const LayerBytes& bytes) const;
  absl::StatusOr<Page> AllocatePage(size_t page_bytes) const;
  // Takes the pages that entries [entries(layer), end) need beyond those there are.
  absl::Status AllocatePages(int layer, uint32_t end, std::vector<NewPage>* pages) const;
  // Writes the entries that are not held yet, without publishing them.
  void Write(uint32_t offset, uint32_t count, const LayerBytes& bytes);
  // Brings entries [first, first + count) of a pair of pages to their copies on the device.
  void MirrorEntries(const Page& keys, const Page& rows, uint32_t first, uint32_t count) const;
  // Makes what was mirrored visible to kernels.
  void PublishMirror() const;
  // Gives this stripe its own copy of the page that `entries` ends in.
  absl::Status CopyPartialPage(const Layer& from, int layer, uint32_t entries, Layer* to) const;

  // Constant after construction.
  const std::shared_ptr<const Profile> profile_;
  PageArena* const arena_;
  PageMirror* const mirror_;

  absl::Mutex append_mu_;  // One writer at a time; readers go by Layer::entries.
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_STRIPE_H_
