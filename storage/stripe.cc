#include "storage/stripe.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/failpoint.h"
#include "storage/stripe_layer.h"

namespace winnow {
namespace {

using kernels::kPageEntries;

constexpr Plane kBothPlanes[] = {Plane::kIndex, Plane::kKv};

// The runs up to entry `end`, the last one cut there.
std::vector<StoredRun> FirstRuns(const std::vector<StoredRun>& runs, uint32_t end) {
  std::vector<StoredRun> first;
  for (uint32_t begin = 0; const StoredRun& run : runs) {
    if (begin >= end) break;
    first.push_back({.extent = run.extent, .end = std::min(run.end, end)});
    begin = run.end;
  }
  return first;
}

const std::byte* BytesOf(const LayerBytes& bytes, Plane plane) {
  return plane == Plane::kIndex ? bytes.index_keys.data() : bytes.kv_rows.data();
}

}  // namespace

Stripe::Stripe(std::shared_ptr<const ContextStorage> context, uint32_t number)
    : context_(std::move(context)),
      profile_(*context_->profile),
      number_(number),
      layers_(profile_.layers.size()) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (profile_.stores(static_cast<int>(i))) layers_[i] = std::make_unique<Layer>();
  }
}

Stripe::Stripe(std::shared_ptr<const ContextStorage> context, const StoredStripe& stored)
    : Stripe(std::move(context), stored.stripe) {
  for (size_t i = 0; i < std::min(layers_.size(), stored.layers.size()); ++i) {
    if (layers_[i] == nullptr || stored.layers[i].empty()) continue;
    absl::MutexLock lock(&layers_[i]->mu);
    layers_[i]->runs = stored.layers[i];
    layers_[i]->entries.store(stored.layers[i].back().end, std::memory_order_release);
  }
}

Stripe::~Stripe() = default;

Stripe::Planes Stripe::PlanesOf(int layer) const {
  return profile_.has_index(layer) ? Planes(kBothPlanes) : Planes(kBothPlanes).subspan(1);
}

uint32_t Stripe::entries(int layer) const {
  return layers_[layer] == nullptr ? 0 : layers_[layer]->entries.load(std::memory_order_acquire);
}

std::shared_ptr<PageSet> Stripe::FindPages(int layer, Plane plane) const {
  const Layer& held = *layers_[layer];
  absl::MutexLock lock(&held.mu);
  return held.pages[static_cast<int>(plane)].get();
}

absl::StatusOr<std::shared_ptr<const PageSet>> Stripe::Pages(int layer, Plane plane) const {
  std::shared_ptr<const PageSet> pages = FindPages(layer, plane);
  if (pages == nullptr || !pages->damaged()) return pages;
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_PAGE",
               absl::StrCat("the ", PlaneName(plane), " pages of layer ", layer, ", stripe ",
                            number_, " are damaged in memory, and there is no other copy"),
               {{"layer", absl::StrCat(layer)}, {"stripe", absl::StrCat(number_)}});
}

absl::Status Stripe::CheckOverlap(uint32_t offset, uint32_t count, const LayerBytes& bytes,
                                  absl::Time deadline) const {
  const uint32_t held = entries(bytes.layer);
  if (offset > held) {
    return Error(absl::StatusCode::kOutOfRange, "APPEND_GAP",
                 absl::StrCat("append at entry ", offset, " of a stripe whose layer ", bytes.layer,
                              " has ", held, " entries"),
                 {{"entries", absl::StrCat(held)}, {"layer", absl::StrCat(bytes.layer)}});
  }
  const uint32_t end = std::min(held, offset + count);
  uint32_t same_until = end;
  for (const Plane plane : PlanesOf(bytes.layer)) {
    absl::StatusOr<uint32_t> difference =
        FindDifference(bytes.layer, plane, offset, end, BytesOf(bytes, plane), deadline);
    if (!difference.ok()) return difference.status();
    same_until = std::min(same_until, *difference);
  }
  if (same_until >= end) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, "APPEND_CONFLICT",
               absl::StrCat("entry ", same_until, " of the stripe's layer ", bytes.layer,
                            " is held with other bytes"),
               {{"offset", absl::StrCat(same_until)}, {"layer", absl::StrCat(bytes.layer)}});
}

absl::StatusOr<uint32_t> Stripe::FindDifference(int layer, Plane plane, uint32_t first,
                                                uint32_t end, const std::byte* bytes,
                                                absl::Time deadline) const {
  if (first >= end) return end;
  const size_t entry_bytes = EntryBytes(profile_, plane);
  std::vector<std::byte> held(std::min<uint32_t>(kPageEntries, end - first) * entry_bytes);
  for (uint32_t at = first; at < end; at += kPageEntries) {
    const uint32_t count = std::min<uint32_t>(kPageEntries, end - at);
    absl::Status status = Read(layer, plane, at, at + count, deadline, held.data());
    if (!status.ok()) return status;
    const std::byte* given = bytes + (at - first) * entry_bytes;
    for (uint32_t i = 0; i < count; ++i) {
      const size_t entry = i * entry_bytes;
      if (std::memcmp(held.data() + entry, given + entry, entry_bytes) != 0) return at + i;
    }
  }
  return end;
}

absl::Status Stripe::Compare(uint32_t offset, uint32_t count, std::span<const LayerBytes> layers,
                             absl::Time deadline) const {
  for (const LayerBytes& bytes : layers) {
    absl::Status status = CheckOverlap(offset, count, bytes, deadline);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Stripe::Reserve(int layer, uint32_t end, absl::Time deadline) {
  for (const Plane plane : PlanesOf(layer)) {
    // A cold plane is brought back, since its last page goes on.
    absl::Status status = RestoreLayer(layer, plane, deadline);
    if (!status.ok()) return status;
    status = FindPages(layer, plane)->Reserve(end);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Extent>> Stripe::StoreNew(uint32_t offset, uint32_t end,
                                                               std::span<const LayerBytes> layers,
                                                               absl::Time deadline) {
  if (context_->record.durability == Durability::kMemory) return nullptr;
  std::vector<StoreWrite> writes;
  for (const LayerBytes& bytes : layers) {
    const uint32_t held = entries(bytes.layer);
    if (held >= end) continue;
    StoreWrite write = {.layer = bytes.layer, .first = held, .count = end - held};
    if (profile_.has_index(bytes.layer)) {
      write.index_keys = bytes.index_keys.subspan((held - offset) * profile_.key_bytes());
    }
    write.kv_rows = bytes.kv_rows.subspan((held - offset) * profile_.row_bytes());
    writes.push_back(write);
  }
  if (writes.empty()) return nullptr;
  return context_->store->Append(context_->record, number_, writes, deadline);
}

void Stripe::Write(uint32_t offset, uint32_t end, const LayerBytes& bytes,
                   const std::shared_ptr<const Extent>& extent) {
  const uint32_t held = entries(bytes.layer);
  for (const Plane plane : PlanesOf(bytes.layer)) {
    FindPages(bytes.layer, plane)
        ->Write(held, end - held,
                BytesOf(bytes, plane) + (held - offset) * EntryBytes(profile_, plane));
  }
  if (extent == nullptr) return;
  Layer& layer = *layers_[bytes.layer];
  absl::MutexLock lock(&layer.mu);
  if (!layer.runs.empty() && layer.runs.back().extent == extent) {
    layer.runs.back().end = end;
  } else {
    layer.runs.push_back({.extent = extent, .end = end});
  }
}

void Stripe::TrimPages(int layer) {
  for (const Plane plane : PlanesOf(layer)) {
    const std::shared_ptr<PageSet> pages = FindPages(layer, plane);
    if (pages != nullptr) pages->Trim(entries(layer));
  }
}

void Stripe::PublishMirror() const {
  if (context_->mirror != nullptr) context_->mirror->Publish().IgnoreError();
}

absl::StatusOr<uint64_t> Stripe::Append(uint32_t offset, uint32_t count,
                                        std::span<const LayerBytes> layers, absl::Time deadline) {
  absl::MutexLock lock(&write_mu_);
  const uint32_t end = offset + count;
  if (absl::Status status = Compare(offset, count, layers, deadline); !status.ok()) return status;
  std::vector<const LayerBytes*> growing;
  for (const LayerBytes& bytes : layers) {
    if (entries(bytes.layer) < end) growing.push_back(&bytes);
  }
  absl::Status status;
  for (size_t i = 0; i < growing.size() && status.ok(); ++i) {
    status = Reserve(growing[i]->layer, end, deadline);
  }
  absl::StatusOr<std::shared_ptr<const Extent>> extent;
  if (status.ok()) {
    extent = StoreNew(offset, end, layers, deadline);
    status = extent.status();
  }
  if (!status.ok()) {
    for (const LayerBytes* bytes : growing) TrimPages(bytes->layer);
    return status;
  }
  uint64_t written = 0;
  for (const LayerBytes* bytes : growing) {
    Write(offset, end, *bytes, *extent);
    written += end - entries(bytes->layer);
  }
  PublishMirror();
  Failpoint("append.publish");
  for (const LayerBytes* bytes : growing) {
    layers_[bytes->layer]->entries.store(end, std::memory_order_release);
  }
  return written;
}

absl::StatusOr<Stripe::LayerCopy> Stripe::CopyLayer(int layer, uint32_t entries) {
  // A copy has checksums of its own, which would make damage look sound.
  for (const Plane plane : PlanesOf(layer)) {
    const std::shared_ptr<PageSet> pages = FindPages(layer, plane);
    if (pages == nullptr || entries % kPageEntries == 0) continue;
    if (pages->IsSound(entries / kPageEntries, this->entries(layer))) continue;
    absl::Status damage = VerifyPages(layer, plane);
    if (FindPages(layer, plane) != nullptr) return damage;
  }
  LayerCopy copy;
  {
    // At once: what is cold has all its runs.
    const Layer& from = *layers_[layer];
    absl::MutexLock lock(&from.mu);
    for (size_t i = 0; i < copy.pages.size(); ++i) copy.pages[i] = from.pages[i].get();
    copy.runs = FirstRuns(from.runs, entries);
  }
  // A complete set is never written again and may be shared as it is.
  if (entries == kStripeEntries) return copy;
  for (std::shared_ptr<PageSet>& pages : copy.pages) {
    if (pages == nullptr) continue;
    absl::StatusOr<std::shared_ptr<PageSet>> fork = pages->Fork(entries);
    if (!fork.ok()) return fork.status();
    pages = *std::move(fork);
  }
  return copy;
}

absl::StatusOr<std::shared_ptr<Stripe>> Stripe::Fork(std::shared_ptr<const ContextStorage> context,
                                                     uint32_t entries) {
  absl::MutexLock lock(&write_mu_);
  auto fork = std::make_shared<Stripe>(std::move(context), number_);
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i] == nullptr) continue;
    const auto layer = static_cast<int>(i);
    const uint32_t kept = std::min(entries, this->entries(layer));
    if (kept == 0) continue;
    absl::StatusOr<LayerCopy> copy = CopyLayer(layer, kept);
    if (!copy.ok()) return copy.status();
    Layer& to = *fork->layers_[i];
    absl::MutexLock layer_lock(&to.mu);
    for (size_t j = 0; j < copy->pages.size(); ++j) to.pages[j].Hold(std::move(copy->pages[j]));
    to.runs = std::move(copy->runs);
    to.entries.store(kept, std::memory_order_release);
  }
  fork->PublishMirror();
  return fork;
}

StoredRange Stripe::Stored(int layer, uint32_t first, uint32_t end) const {
  const Layer& held = *layers_[layer];
  absl::MutexLock lock(&held.mu);
  return {.stripe = number_,
          .layer = layer,
          .first = first,
          .end = end,
          .runs = FirstRuns(held.runs, end)};
}

StoredStripe Stripe::stored() const {
  StoredStripe stored = {.stripe = number_,
                         .layers = std::vector<std::vector<StoredRun>>(layers_.size())};
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i] == nullptr) continue;
    absl::MutexLock lock(&layers_[i]->mu);
    stored.layers[i] = layers_[i]->runs;
  }
  return stored;
}

}  // namespace winnow
