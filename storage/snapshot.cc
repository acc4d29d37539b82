#include "storage/snapshot.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "storage/directories.h"
#include "storage/error.h"
#include "storage/failpoint.h"
#include "storage/snapshot_manifest.h"

namespace winnow {
namespace {

struct BlockHeader {
  uint32_t stripe = 0;
  uint32_t layer = 0;
  uint32_t count = 0;
};
static_assert(sizeof(BlockHeader) == 12);

std::string PartPath(const std::string& directory, uint32_t first_stripe) {
  return absl::StrFormat("%s/part-%06d.wns", directory, first_stripe);
}

absl::Status BadBlock(const std::string& path, const BlockHeader& block) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_SNAPSHOT",
               absl::StrCat(path, ": a block of ", block.count, " entries of layer ", block.layer,
                            ", stripe ", block.stripe, " does not fit its profile"),
               {{"file", path}});
}

absl::Status WriteBlock(Stripe& stripe, int layer, uint32_t count, absl::Time deadline,
                        std::vector<std::string>* damaged, SealedFileWriter* file) {
  const Profile& profile = *stripe.context()->profile;
  const BlockHeader header = {
      .stripe = stripe.number(), .layer = static_cast<uint32_t>(layer), .count = count};
  absl::Status status = file->Write(std::as_bytes(std::span(&header, 1)));
  for (const Plane plane : {Plane::kIndex, Plane::kKv}) {
    if (!status.ok()) return status;
    if (plane == Plane::kIndex && !profile.has_index(layer)) continue;
    std::vector<std::byte> bytes(count * EntryBytes(profile, plane));
    status = stripe.ReadSound(layer, plane, count, deadline, bytes.data(), damaged);
    if (status.ok()) status = file->Write(bytes);
  }
  return status;
}

absl::Status WriteStripe(Stripe& stripe, uint64_t entries, absl::Time deadline,
                         std::vector<std::string>* damaged, SealedFileWriter* file) {
  const uint64_t start = uint64_t{stripe.number()} * kStripeEntries;
  const Profile& profile = *stripe.context()->profile;
  for (size_t i = 0; i < profile.layers.size(); ++i) {
    const auto layer = static_cast<int>(i);
    const uint64_t wanted = entries - std::min(entries, start);
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(stripe.entries(layer), wanted));
    if (count == 0) continue;
    // Nobody waits for it any more, and who saves the part again must not find this one writing.
    if (absl::Now() >= deadline) {
      return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
                   "the part was not written in time");
    }
    absl::Status status = WriteBlock(stripe, layer, count, deadline, damaged, file);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Whether both are of one context, as it was made once: not of another one of its name.
bool IsSameContext(const ContextRecord& a, const ContextRecord& b) {
  return a.number == b.number && a.context_id == b.context_id && a.tenant == b.tenant &&
         a.placement_key == b.placement_key && a.profile == b.profile && a.origin == b.origin;
}

absl::Status Incomplete(const std::string& directory, uint32_t stripe) {
  return Error(absl::StatusCode::kFailedPrecondition, "SNAPSHOT_INCOMPLETE",
               absl::StrCat("stripe ", stripe, " was not saved in ", directory,
                            ", or was begun anew meanwhile; save from there on"),
               {{"first_stripe", absl::StrCat(stripe)}});
}

// What was saved of the context so far.
absl::StatusOr<SnapshotManifest> ReadBegun(const std::string& directory,
                                           const ContextRecord& record) {
  absl::StatusOr<SnapshotManifest> begun = ReadUnfinishedManifest(directory);
  if (absl::IsNotFound(begun.status())) return Incomplete(directory, 0);
  if (!begun.ok() || IsSameContext(begun->record, record)) return begun;
  return Error(
      absl::StatusCode::kFailedPrecondition, "SNAPSHOT_OF_ANOTHER",
      absl::StrCat("what was saved in ", directory, " before is of another context ",
                   begun->record.context_id, "; save ", record.context_id, " from its beginning"));
}

// That each of the stripes is in a part.
absl::Status CheckCovers(const std::string& directory, const SnapshotManifest& manifest,
                         std::span<const std::shared_ptr<Stripe>> stripes) {
  for (const std::shared_ptr<Stripe>& stripe : stripes) {
    const uint32_t number = stripe->number();
    if (uint64_t{number} * kStripeEntries >= manifest.entries) continue;
    const auto holds = [number](const SnapshotPart& part) {
      return part.first_stripe <= number && number - part.first_stripe < part.stripes;
    };
    if (std::any_of(manifest.parts.begin(), manifest.parts.end(), holds)) continue;
    return Incomplete(directory, number);
  }
  return absl::OkStatus();
}

absl::Status SnapshotExists(const std::string& directory) {
  return Error(absl::StatusCode::kAlreadyExists, "SNAPSHOT_EXISTS",
               absl::StrCat(directory, " holds a snapshot already"));
}

// The part's bytes in a finished snapshot, if that is what saving it again would come to: the
// caller may not have heard of it. The first part would begin a snapshot of what there is now.
absl::StatusOr<uint64_t> FindSaved(const std::string& directory, const SnapshotManifest& finished,
                                   const SnapshotManifest& whole, uint32_t first_stripe,
                                   uint32_t count) {
  if (IsSameContext(finished.record, whole.record) && finished.shards == whole.shards &&
      (first_stripe != 0 || finished.entries == whole.entries)) {
    for (const SnapshotPart& part : finished.parts) {
      if (part.first_stripe == first_stripe && part.stripes == count) return part.seal.bytes;
    }
  }
  return SnapshotExists(directory);
}

}  // namespace

std::string SnapshotName(const std::string& directory) {
  return std::filesystem::path(directory + "/").parent_path().filename().string();
}

absl::StatusOr<uint64_t> SavePart(const std::string& directory, const SnapshotManifest& whole,
                                  uint32_t first_stripe, uint32_t count,
                                  std::span<const std::shared_ptr<Stripe>> stripes,
                                  absl::Time deadline, std::vector<std::string>* damaged) {
  if (const std::error_code error = MakeDirectories(directory); error) {
    return Error(absl::StatusCode::kUnavailable, "DISK_FAILED",
                 absl::StrCat("cannot make ", directory, ": ", error.message()));
  }
  const absl::StatusOr<std::unique_ptr<SnapshotLock>> lock = SnapshotLock::Take(directory);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<SnapshotManifest> finished = ReadManifest(directory);
  if (finished.ok()) return FindSaved(directory, *finished, whole, first_stripe, count);
  if (!absl::IsNotFound(finished.status())) return finished.status();
  SnapshotManifest manifest = whole;
  manifest.name = SnapshotName(directory);
  manifest.parts.clear();
  if (first_stripe != 0) {
    absl::StatusOr<SnapshotManifest> begun = ReadBegun(directory, whole.record);
    if (!begun.ok()) return begun.status();
    manifest = *std::move(begun);
  }
  // A part that is sent again replaces the one before and those behind it.
  const size_t replaced = std::erase_if(manifest.parts, [first_stripe](const SnapshotPart& part) {
    return part.first_stripe >= first_stripe;
  });
  const bool begins_anew =
      first_stripe == 0 && !absl::IsNotFound(ReadUnfinishedManifest(directory).status());
  if (replaced != 0 || begins_anew) {
    // Nothing may vouch for a file once it is another.
    absl::Status status = WriteUnfinishedManifest(directory, manifest);
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::unique_ptr<SealedFileWriter>> file =
      SealedFileWriter::Create(PartPath(directory, first_stripe));
  if (!file.ok()) return file.status();
  Failpoint("snapshot.part");
  for (const std::shared_ptr<Stripe>& stripe : stripes) {
    absl::Status status = WriteStripe(*stripe, manifest.entries, deadline, damaged, file->get());
    if (!status.ok()) return status;
  }
  absl::StatusOr<FileSeal> seal = (*file)->Finish();
  if (!seal.ok()) return seal.status();
  manifest.parts.push_back({.first_stripe = first_stripe, .stripes = count, .seal = *seal});
  if (absl::Status status = WriteUnfinishedManifest(directory, manifest); !status.ok()) {
    return status;
  }
  return seal->bytes;
}

absl::Status FinishSnapshot(const std::string& directory, const ContextRecord& record,
                            std::span<const std::shared_ptr<Stripe>> stripes) {
  const absl::StatusOr<std::unique_ptr<SnapshotLock>> lock = SnapshotLock::Take(directory);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<SnapshotManifest> finished = ReadManifest(directory);
  if (finished.ok()) {
    return IsSameContext(finished->record, record) ? absl::OkStatus() : SnapshotExists(directory);
  }
  if (!absl::IsNotFound(finished.status())) return finished.status();
  absl::StatusOr<SnapshotManifest> manifest = ReadBegun(directory, record);
  if (!manifest.ok()) return manifest.status();
  absl::Status status = CheckCovers(directory, *manifest, stripes);
  return status.ok() ? WriteManifest(directory, *manifest) : status;
}

absl::Status LoadPart(const std::string& directory, const Profile& profile,
                      const SnapshotPart& part, const BlockSink& sink) {
  const std::string path = PartPath(directory, part.first_stripe);
  absl::StatusOr<std::unique_ptr<SealedFileReader>> file = SealedFileReader::Open(path, part.seal);
  if (absl::IsNotFound(file.status())) {
    return Error(absl::StatusCode::kDataLoss, "CORRUPT_SNAPSHOT", path + " is missing",
                 {{"file", path}});
  }
  if (!file.ok()) return file.status();
  while ((*file)->left() > 0) {
    BlockHeader block;
    absl::Status status = (*file)->Read(std::as_writable_bytes(std::span(&block, 1)));
    if (!status.ok()) return status;
    if (block.layer >= profile.layers.size() || !profile.stores(static_cast<int>(block.layer)) ||
        block.count == 0 || block.count > kStripeEntries || block.stripe < part.first_stripe ||
        block.stripe - part.first_stripe >= part.stripes) {
      return BadBlock(path, block);
    }
    const auto layer = static_cast<int>(block.layer);
    std::vector<std::byte> keys(profile.has_index(layer) ? block.count * profile.key_bytes() : 0);
    std::vector<std::byte> rows(block.count * profile.row_bytes());
    status = (*file)->Read(keys);
    if (status.ok()) status = (*file)->Read(rows);
    if (status.ok()) {
      status =
          sink(block.stripe, block.count, {.layer = layer, .index_keys = keys, .kv_rows = rows});
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace winnow
