#ifndef WINNOW_TESTS_FAULTS_UNSYNCED_FILE_SYSTEM_H_
#define WINNOW_TESTS_FAULTS_UNSYNCED_FILE_SYSTEM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/file_system.h"

namespace winnow::testing {

// What of a file would be found after a loss of power.
struct SurvivingFile {
  std::shared_ptr<const std::string> synced;
  std::string unsynced;  // appended since; the disk may have any part of it
};

// A disk at one moment, by path.
struct DiskImage {
  std::map<std::string, SurvivingFile> synced_names;  // as of their directory's last sync
  std::map<std::string, SurvivingFile> names;         // as programs see them
};

enum class Survival {
  kSyncedOnly,   // nothing that was not synced, neither bytes nor names
  kPartly,       // all names; of each file's un-synced bytes the first few
  kLengthsOnly,  // all names and lengths; un-synced bytes are zeros
};

// The real file system, with a record beside it of what has been synced. Bytes become durable by
// Sync or Fsync of their file, names (of new, renamed and deleted files) by Fsync of their
// directory; Flush, RangeSync and Close promise nothing. Syncs of the real disk are left out.
// Directories are durable at once. Files opened for random writes are refused. Thread-safe.
class UnsyncedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit UnsyncedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target)
      : FileSystemWrapper(target) {}

  // Called at every sync boundary: right before a sync takes effect, when most is at stake. No file
  // changes meanwhile.
  void set_on_sync(std::function<void(DiskImage)> on_sync);

  // Takes the files of a directory for synced.
  void Adopt(const std::string& directory);

  // Writes what survives of the files in `from` into `to`, which is there.
  static void Restore(const DiskImage& image, Survival survival, uint64_t seed,
                      const std::string& from, const std::string& to);

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Truncate(const std::string& path, size_t size,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  const char* Name() const override { return "UnsyncedFileSystem"; }

 private:
  class File;
  class Directory;
  struct Inode {
    std::string bytes;
    std::shared_ptr<const std::string> synced = std::make_shared<std::string>();
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  void ReportBoundary() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SyncFile(Inode* inode);
  void SyncDirectory(const std::string& path);

  absl::Mutex mu_;
  std::function<void(DiskImage)> on_sync_ ABSL_GUARDED_BY(mu_);
  Names names_ ABSL_GUARDED_BY(mu_);
  Names synced_names_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_FAULTS_UNSYNCED_FILE_SYSTEM_H_
