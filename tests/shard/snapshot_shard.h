#ifndef WINNOW_TESTS_SHARD_SNAPSHOT_SHARD_H_
#define WINNOW_TESTS_SHARD_SNAPSHOT_SHARD_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/shard/disk_shard.h"

namespace winnow::testing {

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A test with one shard that saves and loads snapshots.
class ShardSnapshotTest : public DiskShardTest {
 protected:
  std::string directory() const { return snapshots_.path() + "/shard-0"; }

  absl::StatusOr<shard::SnapshotResult> SaveRange(uint32_t stripe, uint64_t entries,
                                                  const std::string& id = "t/a") {
    return shard_.Ask<shard::SnapshotResult>(shard::SaveSnapshot{.context_id = id,
                                                                 .directory = directory(),
                                                                 .first_stripe = stripe,
                                                                 .stripes = 1,
                                                                 .entries = entries,
                                                                 .shards = 1});
  }
  absl::Status Finish(const std::string& id = "t/a") {
    return shard_
        .Ask<shard::SnapshotResult>(shard::SaveSnapshot{
            .context_id = id, .directory = directory(), .shards = 1, .finish = true})
        .status();
  }

  // Stripe after stripe, as a client does; the end apart.
  void Save(uint64_t entries, const std::string& id = "t/a") {
    for (uint32_t stripe = 0;;) {
      const auto part = SaveRange(stripe, entries, id);
      ASSERT_TRUE(part.ok()) << part.status();
      stripe = part->next_stripe;
      if (stripe == 0) break;
    }
    const absl::Status finished = Finish(id);
    ASSERT_TRUE(finished.ok()) << finished;
  }

  absl::Status Load(const std::string& id, uint32_t shards = 1) {
    return shard_
        .Ask<shard::SnapshotResult>(shard::LoadSnapshot{.context_id = id,
                                                        .tenant = "t",
                                                        .shards = shards,
                                                        .directory = directory(),
                                                        .stripes = 1000})
        .status();
  }

  const TempDir snapshots_;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_SHARD_SNAPSHOT_SHARD_H_
