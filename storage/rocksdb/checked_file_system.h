#ifndef WINNOW_STORAGE_ROCKSDB_CHECKED_FILE_SYSTEM_H_
#define WINNOW_STORAGE_ROCKSDB_CHECKED_FILE_SYSTEM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "rocksdb/file_system.h"

namespace winnow {

// Looks at the end of a table file when RocksDB opens it: RocksDB reads the block of properties
// there without its checksum, and Debian's ends the process over a damaged one. Tells of logs that
// RocksDB is about to delete.
class CheckedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // A log is kept, and RocksDB tries again later, unless `free_log` of its number is OK.
  using FreeLogFn = std::function<absl::Status(uint64_t log)>;

  CheckedFileSystem(std::shared_ptr<rocksdb::FileSystem> target, FreeLogFn free_log)
      : FileSystemWrapper(std::move(target)), free_log_(std::move(free_log)) {}

  const char* Name() const override { return "winnow.CheckedFileSystem"; }

  // Corruption if the blocks behind the data do not match their checksums.
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;

  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus CheckTable(const std::string& name) const;

  const FreeLogFn free_log_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_CHECKED_FILE_SYSTEM_H_
