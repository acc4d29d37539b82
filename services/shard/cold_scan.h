#ifndef WINNOW_SERVICES_SHARD_COLD_SCAN_H_
#define WINNOW_SERVICES_SHARD_COLD_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/shard/compute.h"
#include "storage/entry_store.h"

namespace winnow::shard {

// Reads index pages from disk ahead of the one who scores them: a few ranges at once, and no more
// than a few that are not scored yet, so that a query takes little memory however much is cold.
// Where no thread can be started, who scores reads.
class ColdScan {
 public:
  // Index keys of one range, arranged in pages.
  struct Chunk {
    std::unique_ptr<std::byte[]> memory;
    ScoreRun run;
  };

  // The profile and the store must outlive the scan.
  ColdScan(const Profile& profile, EntryStore* store, std::vector<StoredRange> ranges,
           absl::Time deadline);
  ~ColdScan();

  // What has arrived, in any order, after waiting for some; nothing once all ranges were given
  // out. Errors of EntryStore::ReadKeys.
  absl::StatusOr<std::vector<Chunk>> Next();

 private:
  void Read();
  void ReadRange(size_t range);
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The next range to be read; none if all are, or reading has failed or ends.
  std::optional<size_t> Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Chunk> ReadChunk(const StoredRange& range) const;

  const Profile& profile_;
  EntryStore& store_;
  const std::vector<StoredRange> ranges_;
  const absl::Time deadline_;

  absl::Mutex mu_;
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;   // the first range that nobody reads yet
  size_t given_ ABSL_GUARDED_BY(mu_) = 0;  // out by Next
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  std::vector<Chunk> arrived_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> readers_;
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_COLD_SCAN_H_
