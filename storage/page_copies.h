#ifndef WINNOW_STORAGE_PAGE_COPIES_H_
#define WINNOW_STORAGE_PAGE_COPIES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/page_mirror.h"

// What sets of pages know about copies on a device.
namespace winnow {

// Where sets that share a full page find its copy, so that the device never holds two: the page may
// have lost its copy in one set while another keeps it. Thread-safe.
class LastCopy {
 public:
  void Set(const PageMirror::Copy& copy) {
    absl::MutexLock lock(&mu_);
    copy_ = copy;
  }
  // Null if nobody holds it any more.
  PageMirror::Copy Find() const {
    absl::MutexLock lock(&mu_);
    return copy_.lock();
  }

 private:
  mutable absl::Mutex mu_;
  std::weak_ptr<std::byte> copy_ ABSL_GUARDED_BY(mu_);
};

// A list, on the device, of where the copies of a set's first pages are: a block of 64-bit
// little-endian words, word p the address of the copy of page p.
//
// One thread writes at a time; others look it up meanwhile, without a lock. That is safe because
// * the block is taken once, before `listed_` is raised from 0 with release, and nobody looks at it
//   while `listed_` is 0;
// * a page is listed before its first entry is published, or else never; so the word of a page
//   that a reader knows of was handed to the mirror before that, and it does not change until the
//   reader's set is gone. Words that are written meanwhile are of pages that no reader knows of.
class PageTable {
 public:
  explicit PageTable(uint32_t capacity) : capacity_(capacity) {}

  uint32_t listed() const { return listed_.load(std::memory_order_acquire); }
  // Where the device reads the addresses of the first `pages` pages, of which there is one at
  // least; null if not all of them are listed.
  const std::byte* const* Find(uint32_t pages) const {
    return listed() < pages ? nullptr : reinterpret_cast<const std::byte* const*>(block_.get());
  }

  // Lists more pages, whose numbers go on from listed(). The mirror, which must outlive the table,
  // is not published. Does nothing where it has no room for a table; errors of PageMirror::Write,
  // and then nothing is listed.
  absl::Status List(PageMirror& mirror, std::span<const std::byte* const> copies);
  // Forgets the pages from number `pages` on, of which no reader knows.
  void Trim(uint32_t pages);

 private:
  const uint32_t capacity_;
  PageMirror::Copy block_;
  std::atomic<uint32_t> listed_ = 0;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_PAGE_COPIES_H_
