#ifndef WINNOW_SERVICES_CLUSTER_METADATA_H_
#define WINNOW_SERVICES_CLUSTER_METADATA_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace winnow::cluster {

// A key as the store holds it.
struct MetadataEntry {
  std::string key;
  std::string value;
  // Of the store when the key was last written; rises with every write to any key.
  int64_t revision = 0;
};

// Cluster metadata, which so far is profiles. Small values, seldom written, never entry data.
// Keys are paths ("profiles/3f2a…"). Thread-safe.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // NOT_FOUND if the key is not held.
  virtual absl::StatusOr<MetadataEntry> Get(std::string_view key) = 0;

  // All entries whose key begins with the prefix, by key.
  virtual absl::StatusOr<std::vector<MetadataEntry>> List(std::string_view prefix) = 0;

  // Writes if the key is at `expected_revision` (0: if it is not held) and returns the new
  // revision. ABORTED REVISION_MISMATCH (fact "revision": the one held) otherwise.
  virtual absl::StatusOr<int64_t> Put(std::string_view key, std::string_view value,
                                      int64_t expected_revision) = 0;

  // Removes under the same condition. NOT_FOUND if the key is not held.
  virtual absl::Status Delete(std::string_view key, int64_t expected_revision) = 0;
};

// The store of a single process; lives as long as the process, as its contexts do.
std::unique_ptr<MetadataStore> NewEmbeddedMetadata();

// The same, kept in a file: what was acknowledged survives a loss of power. The file and its folder
// are made if they are not there. DATA_LOSS CORRUPT_METADATA if the file is not as it was written,
// FAILED_PRECONDITION UNKNOWN_VERSION if a later version of Winnow wrote it and DATA_DIR_IN_USE if
// another process has it open, UNAVAILABLE DISK_FAILED and RESOURCE_EXHAUSTED DISK_FULL. A write
// that fails leaves the store as it was; whether the file has it shows when it is opened again.
absl::StatusOr<std::unique_ptr<MetadataStore>> OpenEmbeddedMetadata(const std::string& path);

}  // namespace winnow::cluster

#endif  // WINNOW_SERVICES_CLUSTER_METADATA_H_
