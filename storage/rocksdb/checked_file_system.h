#ifndef WINNOW_STORAGE_ROCKSDB_CHECKED_FILE_SYSTEM_H_
#define WINNOW_STORAGE_ROCKSDB_CHECKED_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <utility>

#include "rocksdb/file_system.h"

namespace winnow {

// Looks at the end of a table file when RocksDB opens it: RocksDB reads the block of properties
// there without its checksum, and Debian's ends the process over a damaged one.
class CheckedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit CheckedFileSystem(std::shared_ptr<rocksdb::FileSystem> target)
      : FileSystemWrapper(std::move(target)) {}

  const char* Name() const override { return "winnow.CheckedFileSystem"; }

  // Corruption if the blocks behind the data do not match their checksums.
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus CheckTable(const std::string& name) const;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_CHECKED_FILE_SYSTEM_H_
