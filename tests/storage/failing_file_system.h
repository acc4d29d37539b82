#ifndef WINNOW_TESTS_STORAGE_FAILING_FILE_SYSTEM_H_
#define WINNOW_TESTS_STORAGE_FAILING_FILE_SYSTEM_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace winnow {

enum class Fault {
  kNone,
  kNoSpace,       // ENOSPC, of the second half of what was to be written
  kWriteError,    // EIO, the same
  kSyncError,     // EIO, of fsync
  kReadError,     // EIO, of reading entries
  kTooManyFiles,  // EMFILE, of opening files to read
};

// The system's files, until a fault is switched on for those whose names contain `name`, and for
// the one that the store probes the disk with.
class FailingFileSystem : public rocksdb::FileSystemWrapper {
 public:
  FailingFileSystem();

  void Fail(Fault fault, const std::string& name = "");
  // At most so many bytes are told to be free.
  void LeaveFree(uint64_t bytes);
  rocksdb::IOStatus Check(Fault fault, const std::string& name) const;
  rocksdb::Env* env() { return env_.get(); }

  const char* Name() const override { return "FailingFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 uint64_t* bytes, rocksdb::IODebugContext* debug) override;

  // One to give to EntryStoreOptions; it must outlive the store.
  static std::shared_ptr<FailingFileSystem> Make();

 private:
  mutable absl::Mutex mu_;
  Fault fault_ ABSL_GUARDED_BY(mu_) = Fault::kNone;
  uint64_t free_ ABSL_GUARDED_BY(mu_) = std::numeric_limits<uint64_t>::max();
  std::string name_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace winnow

#endif  // WINNOW_TESTS_STORAGE_FAILING_FILE_SYSTEM_H_
