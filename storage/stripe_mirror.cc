// Copies of a stripe's pages on a device.
#include <memory>
#include <utility>

#include "storage/stripe.h"
#include "storage/stripe_layer.h"

namespace winnow {

// A set that is read is never changed: whoever reads it holds on to the copies it has.
uint64_t Stripe::DropCopies(Plane plane, uint64_t bytes) {
  absl::MutexLock lock(&write_mu_);
  uint64_t dropped = 0;
  for (size_t i = 0; i < layers_.size() && dropped < bytes; ++i) {
    const auto layer = static_cast<int>(i);
    if (layers_[i] == nullptr) continue;
    const std::shared_ptr<PageSet> pages = FindPages(layer, plane);
    if (pages == nullptr || pages->mirrored_bytes() == 0) continue;
    dropped += pages->mirrored_bytes();
    ReplacePages(layer, plane, pages->WithoutCopies());
  }
  return dropped;
}

absl::Status Stripe::AddCopies(Plane plane) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i] == nullptr) continue;
    // Layer by layer, so that an append does not wait for all of them.
    absl::MutexLock lock(&write_mu_);
    absl::Status status = AddLayerCopies(static_cast<int>(i), plane);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Stripe::AddLayerCopies(int layer, Plane plane) {
  const std::shared_ptr<PageSet> pages = FindPages(layer, plane);
  if (pages == nullptr || pages->damaged() || pages->unmirrored_bytes() == 0) {
    return absl::OkStatus();
  }
  // No copy outlives what is wrong with a page here. Verification reports it.
  if (pages->FindDamage(entries(layer))) return absl::OkStatus();
  absl::StatusOr<std::shared_ptr<PageSet>> mirrored = pages->WithCopies(entries(layer));
  if (!mirrored.ok()) return mirrored.status();
  if (absl::Status status = context_->mirror->background().Publish(); !status.ok()) {
    return status;
  }
  ReplacePages(layer, plane, *std::move(mirrored));
  return absl::OkStatus();
}

void Stripe::ReplacePages(int layer, Plane plane, std::shared_ptr<PageSet> pages) {
  Layer& held = *layers_[layer];
  absl::MutexLock lock(&held.mu);
  held.pages[static_cast<int>(plane)].Hold(std::move(pages));
}

uint64_t Stripe::mirrored_bytes(Plane plane) const {
  uint64_t bytes = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i] == nullptr) continue;
    const std::shared_ptr<PageSet> pages = FindPages(static_cast<int>(i), plane);
    if (pages != nullptr) bytes += pages->mirrored_bytes();
  }
  return bytes;
}

uint64_t Stripe::unmirrored_bytes(Plane plane) const {
  uint64_t bytes = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i] == nullptr) continue;
    const std::shared_ptr<PageSet> pages = FindPages(static_cast<int>(i), plane);
    if (pages != nullptr) bytes += pages->unmirrored_bytes();
  }
  return bytes;
}

}  // namespace winnow
