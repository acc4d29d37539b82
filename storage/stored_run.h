#ifndef WINNOW_STORAGE_STORED_RUN_H_
#define WINNOW_STORAGE_STORED_RUN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

// Where the entries of contexts lie on disk:
//
//   a layer of a stripe   | entries 0 to 1,499 | entries 1,500 to 4,095 |
//   of context 4          | a run, segment 7   | a run, segment 9       |
//
//   segment 7             | context 4 | context 6 |               a sorted file each; what one
//   segment 8             | context 5 |                           context wrote into it is an
//   segment 9             | context 4 | context 5 | context 6 |   extent
//
// The last run grows with each append until its segment takes no more. In an extent, index keys lie
// in pieces of pages, and rows in groups (rocksdb/row_group.h) or alone.
namespace winnow {

// What one context wrote into one segment of an EntryStore. The bytes on disk are kept for as long
// as the extent is, and as long as a context that is recorded on disk refers to them. May outlive
// the store, but is of no use then.
class Extent {
 public:
  Extent(uint64_t context_number, uint32_t segment, std::function<void()> release)
      : context_number_(context_number), segment_(segment), release_(std::move(release)) {}
  ~Extent() { release_(); }
  Extent(const Extent&) = delete;
  Extent& operator=(const Extent&) = delete;

  uint64_t context_number() const { return context_number_; }
  uint32_t segment() const { return segment_; }

 private:
  const uint64_t context_number_;
  const uint32_t segment_;
  const std::function<void()> release_;
};

// Entries of one layer of a stripe that lie in one extent: from the end of the run before it (or
// the stripe's first entry) to `end`.
struct StoredRun {
  std::shared_ptr<const Extent> extent;
  uint32_t end = 0;
};

// Both planes of each layer, layer by layer; no runs where nothing is stored.
struct StoredStripe {
  uint32_t stripe = 0;
  std::vector<std::vector<StoredRun>> layers;  // [layers]
};

// Entries [first, end) of a stripe's layer and the runs they lie in, which reach from the stripe's
// first entry to `end` or beyond.
struct StoredRange {
  uint32_t stripe = 0;
  int layer = 0;
  uint32_t first = 0;
  uint32_t end = 0;
  std::vector<StoredRun> runs;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_STORED_RUN_H_
