#ifndef WINNOW_STORAGE_PAGE_MIRROR_H_
#define WINNOW_STORAGE_PAGE_MIRROR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"

namespace winnow {

// Copies of pages in a device's own memory, beside the pages themselves, which stay in host memory
// and remain what the shard holds. Thread-safe.
class PageMirror {
 public:
  // A copy's address on the device, at which the host cannot read. Its memory is given back when
  // the last owner lets go. Must not outlive the mirror.
  using Copy = std::shared_ptr<std::byte>;

  virtual ~PageMirror() = default;

  // Room for a copy of a page, of any content; null where the device has none left, and the page
  // is then read from host memory.
  virtual Copy Add(size_t page_bytes) = 0;

  // Room for a list of pages' addresses, likewise. It has memory of its own, which usage() does not
  // tell of, so that lists and pages do not take each other's room.
  virtual Copy AddTable(size_t bytes) = 0;

  // Brings bytes of the page, or the list, to its copy. They may be released at once; kernels that
  // are started after Publish has returned see them. INTERNAL DEVICE_FAILED, from then on for every
  // call: a device that failed once has lost what was on its way.
  virtual absl::Status Write(const Copy& copy, size_t offset, std::span<const std::byte> bytes) = 0;
  virtual absl::Status Publish() = 0;

  // A way to the same copies at which no query and no append has to wait, for pages that no query
  // knows of yet: what was written by it has arrived once its Publish has returned.
  virtual PageMirror& background() { return *this; }

  // The device's memory for copies, and what of it copies have. One may find no room although some
  // is left, where the device keeps sizes apart.
  struct Usage {
    uint64_t used_bytes = 0;
    uint64_t capacity_bytes = 0;
  };
  virtual Usage usage() const = 0;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_PAGE_MIRROR_H_
