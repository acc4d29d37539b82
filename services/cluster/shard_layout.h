#ifndef WINNOW_SERVICES_CLUSTER_SHARD_LAYOUT_H_
#define WINNOW_SERVICES_CLUSTER_SHARD_LAYOUT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace winnow::cluster {

// Which shard of how many a data directory belongs to. Where a stripe lies follows from both, so
// that under any other layout what is there is not found, and what comes is lost later.
struct ShardLayout {
  uint32_t shard = 0;
  uint32_t shards = 0;
  friend bool operator==(const ShardLayout&, const ShardLayout&) = default;
};

// What the file LAYOUT of the directory says; nothing if there is none, as in a directory of an
// earlier version. DATA_LOSS CORRUPT_STORE, FAILED_PRECONDITION UNKNOWN_VERSION, UNAVAILABLE
// DISK_FAILED.
absl::StatusOr<std::optional<ShardLayout>> ReadLayout(const std::string& directory);

// FAILED_PRECONDITION WRONG_SHARD (facts "directory", "shard", "shards": of the directory) if the
// directory belongs to another layout.
absl::Status CheckLayout(const std::string& directory, const ShardLayout& layout);

// Of the directories of all shards, by number: WRONG_SHARD as above, and FAILED_PRECONDITION
// MISSING_SHARD (fact "directory") if one is missing or empty where all have been started before,
// as that of a disk which is not mounted is.
absl::Status CheckLayouts(const std::vector<std::string>& directories, bool started_before);

// Checks the layout, and makes it the directory's, durably, if that has none yet.
absl::Status KeepLayout(const std::string& directory, const ShardLayout& layout);

}  // namespace winnow::cluster

#endif  // WINNOW_SERVICES_CLUSTER_SHARD_LAYOUT_H_
