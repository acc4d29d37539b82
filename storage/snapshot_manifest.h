#ifndef WINNOW_STORAGE_SNAPSHOT_MANIFEST_H_
#define WINNOW_STORAGE_SNAPSHOT_MANIFEST_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/snapshot.h"

// How a snapshot's manifest is kept; see storage/snapshot.h for the format.
namespace winnow {

std::string ManifestPath(const std::string& directory);

absl::StatusOr<SnapshotManifest> ReadUnfinishedManifest(const std::string& directory);
absl::Status WriteUnfinishedManifest(const std::string& directory,
                                     const SnapshotManifest& manifest);
// In place of the unfinished one.
absl::Status WriteManifest(const std::string& directory, const SnapshotManifest& manifest);

}  // namespace winnow

#endif  // WINNOW_STORAGE_SNAPSHOT_MANIFEST_H_
