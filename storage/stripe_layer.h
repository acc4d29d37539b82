#ifndef WINNOW_STORAGE_STRIPE_LAYER_H_
#define WINNOW_STORAGE_STRIPE_LAYER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/stripe.h"

namespace winnow {

// A stripe's hold on pages; null while they are cold.
class HeldPages {
 public:
  HeldPages() = default;
  ~HeldPages() { Hold(nullptr); }
  HeldPages(const HeldPages&) = delete;
  HeldPages& operator=(const HeldPages&) = delete;

  void Hold(std::shared_ptr<PageSet> pages) {
    if (pages != nullptr) pages->AddHolders(1);
    if (pages_ != nullptr) pages_->AddHolders(-1);
    pages_ = std::move(pages);
  }
  const std::shared_ptr<PageSet>& get() const { return pages_; }

 private:
  std::shared_ptr<PageSet> pages_;
};

struct Stripe::Layer {
  // Published with release after the entries below it were written and, where the context asks for
  // it, stored.
  std::atomic<uint32_t> entries = 0;

  mutable absl::Mutex mu;
  std::array<HeldPages, 2> pages ABSL_GUARDED_BY(mu);  // by Plane
  std::vector<StoredRun> runs ABSL_GUARDED_BY(mu);

  // As it was last found: pages in memory are the only good ones then.
  bool IsDamagedOnDisk(Plane plane) const { return damaged_on_disk[static_cast<int>(plane)]; }
  void SetDamagedOnDisk(Plane plane, bool damaged) {
    damaged_on_disk[static_cast<int>(plane)] = damaged;
  }
  std::array<std::atomic<bool>, 2> damaged_on_disk = {};  // by Plane
};

struct Stripe::LayerCopy {
  std::array<std::shared_ptr<PageSet>, 2> pages;  // by Plane; null for what is cold
  std::vector<StoredRun> runs;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_STRIPE_LAYER_H_
