#ifndef WINNOW_STORAGE_ROCKSDB_RECLAIMER_H_
#define WINNOW_STORAGE_ROCKSDB_RECLAIMER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/metadata.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/segment_book.h"

namespace winnow {

enum class ReclaimAction { kKeep, kRewrite, kDelete };

// What to do with a file of so many bytes, of which so many are of living extents. `rewritten_live`
// is what it held when it was last rewritten or looked at in vain, or UINT64_MAX.
ReclaimAction ChooseReclaimAction(uint64_t file_bytes, uint64_t live_bytes,
                                  uint64_t rewritten_live);

// Gives back the disk space of extents that nobody refers to: deletes files without a living
// extent, rewrites those of which less than half is alive. Thread-safe; has a thread of its own.
class Reclaimer {
 public:
  Reclaimer(Database* database, std::shared_ptr<SegmentBook> book);
  ~Reclaimer();

  // Once over all files; past those that cannot be reclaimed, of which the first gives the status.
  // DATA_LOSS as long as one is damaged and would be rewritten.
  absl::Status Run();

 private:
  struct File {
    rocksdb::SstFileMetaData data;
    int level = 0;
    uint32_t first_segment = 0;
    uint32_t last_segment = 0;
    uint64_t live_bytes = 0;  // when it was listed
  };
  // How a file's last rewriting ended.
  struct Rewritten {
    uint64_t live_bytes = 0;  // that it held then
    absl::Status damage;      // for which it is still there
  };

  void Work();
  // Dead ones first, then those that take the least room to be rewritten.
  std::vector<File> Files() const;
  absl::Status Reclaim(const File& file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mu_);
  absl::Status Delete(const File& file);
  absl::Status Rewrite(const File& file);

  Database* const database_;
  const std::shared_ptr<SegmentBook> book_;
  absl::Mutex run_mu_;  // one pass at a time
  // By first and last segment of a file.
  std::map<std::pair<uint32_t, uint32_t>, Rewritten> rewritten_ ABSL_GUARDED_BY(run_mu_);
  std::thread thread_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_RECLAIMER_H_
