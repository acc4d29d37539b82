#ifndef WINNOW_STORAGE_SNAPSHOT_FILE_H_
#define WINNOW_STORAGE_SNAPSHOT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace winnow {

// XXH3-128, the high half first.
struct FileHash {
  uint64_t high = 0;
  uint64_t low = 0;

  friend bool operator==(const FileHash&, const FileHash&) = default;
};

// What identifies a finished file.
struct FileSeal {
  uint64_t bytes = 0;
  FileHash hash;

  friend bool operator==(const FileSeal&, const FileSeal&) = default;
};

// Writes a file that appears under its name only once all of it is on disk. Not thread-safe.
// Errors of both classes: RESOURCE_EXHAUSTED DISK_FULL, UNAVAILABLE DISK_FAILED (names the path and
// what the system said).
class SealedFileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<SealedFileWriter>> Create(const std::string& path);
  // Removes what was not finished.
  ~SealedFileWriter();

  absl::Status Write(std::span<const std::byte> bytes);
  absl::StatusOr<FileSeal> Finish();

 private:
  struct Hasher;
  SealedFileWriter(std::string path, int fd);

  const std::string path_;
  int fd_;
  uint64_t bytes_ = 0;
  std::unique_ptr<Hasher> hasher_;
};

// Reads such a file from its beginning. Not thread-safe.
class SealedFileReader {
 public:
  // NOT_FOUND if there is no such file. DATA_LOSS CORRUPT_SNAPSHOT if it has another size or other
  // bytes than its seal says: all of it is read to find that out.
  static absl::StatusOr<std::unique_ptr<SealedFileReader>> Open(const std::string& path,
                                                                const FileSeal& seal);
  ~SealedFileReader();

  // DATA_LOSS CORRUPT_SNAPSHOT if fewer bytes are left.
  absl::Status Read(std::span<std::byte> bytes);
  uint64_t left() const { return left_; }

 private:
  SealedFileReader(std::string path, int fd, uint64_t bytes);

  const std::string path_;
  const int fd_;
  uint64_t left_;
};

// Keeps others from writing to a directory, in this process and in others of the machine, as long
// as this lives.
class SnapshotLock {
 public:
  // ABORTED SNAPSHOT_BUSY while somebody else has it; NOT_FOUND if there is no such directory.
  static absl::StatusOr<std::unique_ptr<SnapshotLock>> Take(const std::string& directory);
  ~SnapshotLock();
  SnapshotLock(const SnapshotLock&) = delete;
  SnapshotLock& operator=(const SnapshotLock&) = delete;

 private:
  explicit SnapshotLock(int fd) : fd_(fd) {}
  const int fd_;
};

// The bytes of a small file. NOT_FOUND if there is none; RESOURCE_EXHAUSTED FILE_TOO_LARGE above
// max_bytes.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes);

}  // namespace winnow

#endif  // WINNOW_STORAGE_SNAPSHOT_FILE_H_
