#include "storage/snapshot_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/directories.h"
#include "storage/error.h"

namespace winnow {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;
constexpr size_t kSmallBufferBytes = size_t{16} << 10;
constexpr char kUnfinished[] = ".unfinished";

absl::Status SystemError(const char* action, const std::string& path, int error = errno) {
  const std::string message = absl::StrCat("cannot ", action, " ", path, ": ", strerror(error));
  if (error == ENOENT) return Error(absl::StatusCode::kNotFound, "NO_FILE", message);
  if (error == ENOSPC || error == EDQUOT) {
    return Error(absl::StatusCode::kResourceExhausted, "DISK_FULL", message);
  }
  return Error(absl::StatusCode::kUnavailable, "DISK_FAILED", message);
}

absl::Status Corrupt(const std::string& path, const std::string& what) {
  return Error(absl::StatusCode::kDataLoss, "CORRUPT_SNAPSHOT", absl::StrCat(path, ": ", what),
               {{"file", path}});
}

// Reads up to bytes.size(); fewer only at the end of the file.
absl::StatusOr<size_t> ReadUpTo(int fd, const std::string& path, std::span<std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = read(fd, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

}  // namespace

struct SealedFileWriter::Hasher {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state{XXH3_createState()};

  Hasher() { XXH3_128bits_reset(state.get()); }
  void Add(std::span<const std::byte> bytes) {
    XXH3_128bits_update(state.get(), bytes.data(), bytes.size());
  }
  FileHash Digest() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
    return {.high = hash.high64, .low = hash.low64};
  }
};

SealedFileWriter::SealedFileWriter(std::string path, int fd)
    : path_(std::move(path)), fd_(fd), hasher_(std::make_unique<Hasher>()) {}

SealedFileWriter::~SealedFileWriter() {
  if (fd_ < 0) return;
  close(fd_);
  unlink((path_ + kUnfinished).c_str());
}

absl::StatusOr<std::unique_ptr<SealedFileWriter>> SealedFileWriter::Create(
    const std::string& path) {
  const int fd = open((path + kUnfinished).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("create", path);
  return std::unique_ptr<SealedFileWriter>(new SealedFileWriter(path, fd));
}

absl::Status SealedFileWriter::Write(std::span<const std::byte> bytes) {
  hasher_->Add(bytes);
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return SystemError("write", path_);
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

absl::StatusOr<FileSeal> SealedFileWriter::Finish() {
  if (fsync(fd_) != 0) return SystemError("sync", path_);
  if (std::rename((path_ + kUnfinished).c_str(), path_.c_str()) != 0) {
    return SystemError("rename", path_);
  }
  close(std::exchange(fd_, -1));
  if (const std::error_code error = SyncDirectoryOf(path_); error) {
    return SystemError("sync the directory of", path_, error.value());
  }
  return FileSeal{.bytes = bytes_, .hash = hasher_->Digest()};
}

SealedFileReader::SealedFileReader(std::string path, int fd, uint64_t bytes)
    : path_(std::move(path)), fd_(fd), left_(bytes) {}

SealedFileReader::~SealedFileReader() { close(fd_); }

absl::StatusOr<std::unique_ptr<SealedFileReader>> SealedFileReader::Open(const std::string& path,
                                                                         const FileSeal& seal) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("open", path);
  std::unique_ptr<SealedFileReader> reader(new SealedFileReader(path, fd, seal.bytes));
  XXH3_state_t* const state = XXH3_createState();
  XXH3_128bits_reset(state);
  std::vector<std::byte> buffer(std::min<uint64_t>(kBufferBytes, seal.bytes) + 1);
  FileSeal found;
  absl::StatusOr<size_t> got = buffer.size();
  while (got.ok() && *got == buffer.size()) {
    got = ReadUpTo(fd, path, buffer);
    if (!got.ok()) break;
    XXH3_128bits_update(state, buffer.data(), *got);
    found.bytes += *got;
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  if (!got.ok()) return got.status();
  found.hash = {.high = hash.high64, .low = hash.low64};
  if (found.bytes != seal.bytes) {
    return Corrupt(path, absl::StrCat("it has ", found.bytes, " bytes, not ", seal.bytes));
  }
  if (found != seal) return Corrupt(path, "its bytes do not match their checksum");
  if (lseek(fd, 0, SEEK_SET) != 0) return SystemError("read", path);
  return reader;
}

absl::Status SealedFileReader::Read(std::span<std::byte> bytes) {
  if (bytes.size() > left_) return Corrupt(path_, "it ends too early");
  absl::StatusOr<size_t> got = ReadUpTo(fd_, path_, bytes);
  if (!got.ok()) return got.status();
  left_ -= *got;
  return *got == bytes.size() ? absl::OkStatus() : Corrupt(path_, "it became shorter");
}

absl::StatusOr<std::unique_ptr<SnapshotLock>> SnapshotLock::Take(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("open", directory);
  std::unique_ptr<SnapshotLock> lock(new SnapshotLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return SystemError("lock", directory);
  return Error(absl::StatusCode::kAborted, "SNAPSHOT_BUSY",
               absl::StrCat("another call is writing to ", directory, "; try again once it ended"));
}

SnapshotLock::~SnapshotLock() { close(fd_); }

absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("open", path);
  std::string text;
  std::vector<std::byte> buffer(kSmallBufferBytes);
  absl::StatusOr<size_t> got = buffer.size();
  while (got.ok() && *got == buffer.size() && text.size() <= max_bytes) {
    got = ReadUpTo(fd, path, buffer);
    if (got.ok()) text.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
  close(fd);
  if (!got.ok()) return got.status();
  if (text.size() <= max_bytes) return text;
  return Error(absl::StatusCode::kResourceExhausted, "FILE_TOO_LARGE",
               absl::StrCat(path, " has more than ", max_bytes, " bytes"));
}

}  // namespace winnow
