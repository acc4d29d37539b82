#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/failpoint.h"
#include "storage/stripe.h"
#include "storage/stripe_layer.h"

namespace winnow {
namespace {

absl::Status NoDataDir() {
  return Error(absl::StatusCode::kFailedPrecondition, "NO_DATA_DIR",
               "this shard has no data directory; start it with --data-dir to spill to disk");
}

bool IsDamage(const absl::Status& status) { return status.code() == absl::StatusCode::kDataLoss; }

}  // namespace

uint32_t Stripe::StoredEnd(int layer) const {
  const Layer& held = *layers_[layer];
  absl::MutexLock lock(&held.mu);
  return held.runs.empty() ? 0 : held.runs.back().end;
}

absl::Status Stripe::ReadStored(int layer, Plane plane, uint32_t first, uint32_t end,
                                absl::Time deadline, std::byte* bytes) const {
  if (first == end) return absl::OkStatus();
  const StoredRange range = Stored(layer, first, end);
  const size_t entry_bytes = EntryBytes(profile_, plane);
  return plane == Plane::kIndex ? context_->store->ReadKeys(range, entry_bytes, deadline, bytes)
                                : context_->store->ReadRows(range, entry_bytes, deadline, bytes);
}

absl::Status Stripe::Read(int layer, Plane plane, uint32_t first, uint32_t end, absl::Time deadline,
                          std::byte* bytes) const {
  absl::StatusOr<std::shared_ptr<const PageSet>> pages = Pages(layer, plane);
  if (!pages.ok()) return pages.status();
  if (*pages == nullptr) return ReadStored(layer, plane, first, end, deadline, bytes);
  (*pages)->Read(first, end - first, bytes);
  return absl::OkStatus();
}

absl::Status Stripe::ReadSound(int layer, Plane plane, uint32_t end, absl::Time deadline,
                               std::byte* bytes, std::vector<std::string>* damaged) {
  {
    absl::MutexLock lock(&write_mu_);
    const absl::Status status = VerifyPages(layer, plane);
    if (!status.ok()) damaged->push_back(std::string(status.message()));
  }
  return Read(layer, plane, 0, end, deadline, bytes);
}

absl::Status Stripe::StoreRest(int layer, absl::Time deadline) {
  const uint32_t first = StoredEnd(layer);
  const uint32_t end = entries(layer);
  if (first >= end) return absl::OkStatus();
  std::vector<std::byte> bytes[2];
  for (const Plane plane : PlanesOf(layer)) {
    if (absl::Status status = VerifyPages(layer, plane); !status.ok()) return status;
    std::vector<std::byte>& to = bytes[static_cast<int>(plane)];
    to.resize((end - first) * EntryBytes(profile_, plane));
    absl::Status status = Read(layer, plane, first, end, deadline, to.data());
    if (!status.ok()) return status;
  }
  const StoreWrite write = {.layer = layer,
                            .first = first,
                            .count = end - first,
                            .index_keys = bytes[0],
                            .kv_rows = bytes[1]};
  absl::StatusOr<std::shared_ptr<const Extent>> extent =
      context_->store->Append(context_->record, number_, {&write, 1}, deadline);
  if (!extent.ok()) return extent.status();
  Layer& held = *layers_[layer];
  absl::MutexLock lock(&held.mu);
  held.runs.push_back({.extent = *std::move(extent), .end = end});
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Stripe::Spill(Plane plane, uint64_t bytes, absl::Time deadline,
                                       std::vector<std::string>* damaged) {
  if (context_->store == nullptr) return NoDataDir();
  absl::MutexLock lock(&write_mu_);
  uint64_t spilled = 0;
  for (size_t i = 0; i < layers_.size() && spilled < bytes; ++i) {
    const auto layer = static_cast<int>(i);
    if (layers_[i] == nullptr) continue;
    const std::shared_ptr<const PageSet> pages = FindPages(layer, plane);
    if (pages == nullptr) continue;
    if (layers_[i]->IsDamagedOnDisk(plane)) {
      damaged->push_back(absl::StrCat("layer ", layer, ", stripe ", number_, ", ", PlaneName(plane),
                                      ": damaged on disk, and kept in memory"));
      continue;
    }
    const absl::Status status = StoreRest(layer, deadline);
    if (IsDamage(status)) {
      damaged->push_back(std::string(status.message()));
      continue;
    }
    if (!status.ok()) return status;
    Failpoint("spill.stored");
    ReplacePages(layer, plane, nullptr);
    if (pages->holders() == 0) spilled += entries(layer) * EntryBytes(profile_, plane);
  }
  Failpoint("spill.freed");
  return spilled;
}

absl::StatusOr<std::shared_ptr<PageSet>> Stripe::LoadPages(int layer, Plane plane, uint32_t end,
                                                           absl::Time deadline) const {
  auto pages =
      std::make_shared<PageSet>(context_->profile, plane, context_->arena, context_->mirror);
  if (absl::Status status = pages->Reserve(end); !status.ok()) return status;
  // Not cleared: it is filled from the disk.
  const auto bytes = std::make_unique_for_overwrite<std::byte[]>(end * EntryBytes(profile_, plane));
  absl::Status status = ReadStored(layer, plane, 0, end, deadline, bytes.get());
  if (!status.ok()) return status;
  pages->Write(0, end, bytes.get());
  Failpoint("restore.read");
  PublishMirror();
  return pages;
}

absl::Status Stripe::RestoreLayer(int layer, Plane plane, absl::Time deadline) {
  if (FindPages(layer, plane) != nullptr) return absl::OkStatus();
  absl::StatusOr<std::shared_ptr<PageSet>> pages =
      LoadPages(layer, plane, entries(layer), deadline);
  if (!pages.ok()) return pages.status();
  ReplacePages(layer, plane, *std::move(pages));
  return absl::OkStatus();
}

absl::Status Stripe::Restore(int layer, Plane plane, absl::Time deadline) {
  // Looked up first: of a plane that is then found cold, these are all on disk, while those that
  // another thread appends after bringing it back need not be.
  const uint32_t end = entries(layer);
  if (FindPages(layer, plane) != nullptr) return absl::OkStatus();
  Failpoint("restore.cold");
  // Read without the lock, so that layers are restored side by side.
  absl::StatusOr<std::shared_ptr<PageSet>> pages = LoadPages(layer, plane, end, deadline);
  if (!pages.ok()) return pages.status();
  absl::MutexLock lock(&write_mu_);
  Layer& held = *layers_[layer];
  absl::MutexLock layer_lock(&held.mu);
  // Another one may have restored it meanwhile, and appended, and spilled it again.
  HeldPages& place = held.pages[static_cast<int>(plane)];
  if (place.get() == nullptr && entries(layer) == end) place.Hold(*std::move(pages));
  return absl::OkStatus();
}

std::vector<int> Stripe::ColdLayers(Plane plane) const {
  std::vector<int> cold;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (entries(layer) != 0 && HasPlane(layer, plane) && FindPages(layer, plane) == nullptr) {
      cold.push_back(layer);
    }
  }
  return cold;
}

// What is good on disk is read from there from then on; what is not is never served.
absl::Status Stripe::VerifyPages(int layer, Plane plane) {
  const std::shared_ptr<PageSet> pages = FindPages(layer, plane);
  if (pages == nullptr) return absl::OkStatus();
  const std::optional<uint32_t> damaged = pages->FindDamage(entries(layer));
  if (!damaged) return absl::OkStatus();
  if (StoredEnd(layer) < entries(layer)) {
    pages->MarkDamaged();
  } else {
    ReplacePages(layer, plane, nullptr);
  }
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_PAGE",
               absl::StrCat("layer ", layer, ", stripe ", number_, ", ", PlaneName(plane),
                            ": page ", *damaged, " does not match its checksum in memory"));
}

absl::Status Stripe::VerifyStored(int layer, Plane plane, absl::Time deadline) {
  const uint32_t end = StoredEnd(layer);
  Failpoint("verify.stored");
  std::vector<std::byte> bytes(end * EntryBytes(profile_, plane));
  const absl::Status status = ReadStored(layer, plane, 0, end, deadline, bytes.data());
  if (!status.ok() && !IsDamage(status)) return status;
  layers_[layer]->SetDamagedOnDisk(plane, !status.ok());
  if (status.ok()) return status;
  return Error(status.code(), ErrorReason(status),
               absl::StrCat("layer ", layer, ", stripe ", number_, ", ", PlaneName(plane), ": ",
                            status.message()));
}

absl::Status Stripe::Verify(Plane plane, absl::Time deadline, std::vector<std::string>* damaged) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (entries(layer) == 0 || !HasPlane(layer, plane)) continue;
    absl::Status in_memory;
    {
      // Layer by layer, and not for the disk, so that an append need not wait for all of it.
      absl::MutexLock lock(&write_mu_);
      in_memory = VerifyPages(layer, plane);
    }
    for (const absl::Status& status : {in_memory, VerifyStored(layer, plane, deadline)}) {
      if (status.ok()) continue;
      if (!IsDamage(status)) return status;
      damaged->push_back(std::string(status.message()));
    }
  }
  return absl::OkStatus();
}

bool Stripe::HasPlane(int layer, Plane plane) const {
  return profile_.stores(layer) && (plane == Plane::kKv || profile_.has_index(layer));
}

uint64_t Stripe::resident_bytes(Plane plane) const {
  uint64_t resident = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (entries(layer) == 0 || !HasPlane(layer, plane) || FindPages(layer, plane) == nullptr) {
      continue;
    }
    resident += entries(layer) * EntryBytes(profile_, plane);
  }
  return resident;
}

uint64_t Stripe::stored_bytes(Plane plane) const {
  uint64_t stored = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (HasPlane(layer, plane)) stored += StoredEnd(layer) * EntryBytes(profile_, plane);
  }
  return stored;
}

uint64_t Stripe::bytes(Plane plane) const {
  uint64_t bytes = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (HasPlane(layer, plane)) bytes += entries(layer) * EntryBytes(profile_, plane);
  }
  return bytes;
}

}  // namespace winnow
