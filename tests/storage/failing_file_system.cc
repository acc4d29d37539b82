#include "tests/storage/failing_file_system.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

namespace winnow {
namespace {

using rocksdb::FSRandomAccessFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class FailingWritableFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FailingWritableFile(std::unique_ptr<FSWritableFile>&& file, std::string name,
                      const FailingFileSystem* faults)
      : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), faults_(faults) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return CheckWrite(data,
                      [&](const Slice& part) { return target()->Append(part, options, debug); });
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return CheckWrite(data, [&](const Slice& part) {
      return target()->PositionedAppend(part, offset, options, debug);
    });
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return PositionedAppend(data, offset, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = faults_->Check(Fault::kSyncError, name_);
    return fault.ok() ? target()->Sync(options, debug) : fault;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = faults_->Check(Fault::kSyncError, name_);
    return fault.ok() ? target()->Fsync(options, debug) : fault;
  }

 private:
  template <typename Write>
  IOStatus CheckWrite(const Slice& data, const Write& write) {
    IOStatus fault = faults_->Check(Fault::kWriteError, name_);
    if (fault.ok()) fault = faults_->Check(Fault::kNoSpace, name_);
    if (fault.ok()) return write(data);
    // Direct I/O writes nothing but whole sectors.
    if (!use_direct_io()) write(Slice(data.data(), data.size() / 2)).PermitUncheckedError();
    return fault;
  }

  const std::string name_;
  const FailingFileSystem* const faults_;
};

class FailingRandomAccessFile : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  FailingRandomAccessFile(std::unique_ptr<FSRandomAccessFile>&& file, std::string name,
                          const FailingFileSystem* faults)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), name_(std::move(name)), faults_(faults) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    const IOStatus fault = faults_->Check(Fault::kReadError, name_);
    return fault.ok() ? target()->Read(offset, n, options, result, scratch, debug) : fault;
  }

 private:
  const std::string name_;
  const FailingFileSystem* const faults_;
};

}  // namespace

FailingFileSystem::FailingFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

std::shared_ptr<FailingFileSystem> FailingFileSystem::Make() {
  auto files = std::make_shared<FailingFileSystem>();
  // Does not own it, or neither would ever be deleted.
  files->env_ = rocksdb::NewCompositeEnv(
      std::shared_ptr<rocksdb::FileSystem>(files.get(), [](rocksdb::FileSystem*) {}));
  return files;
}

void FailingFileSystem::Fail(Fault fault, const std::string& name) {
  absl::MutexLock lock(&mu_);
  fault_ = fault;
  name_ = name;
}

void FailingFileSystem::LeaveFree(uint64_t bytes) {
  absl::MutexLock lock(&mu_);
  free_ = bytes;
}

IOStatus FailingFileSystem::GetFreeSpace(const std::string& path, const IOOptions& options,
                                         uint64_t* bytes, IODebugContext* debug) {
  const IOStatus status = target()->GetFreeSpace(path, options, bytes, debug);
  absl::MutexLock lock(&mu_);
  *bytes = std::min(*bytes, free_);
  return status;
}

IOStatus FailingFileSystem::Check(Fault fault, const std::string& name) const {
  absl::MutexLock lock(&mu_);
  if (fault_ != fault) return IOStatus::OK();
  if (!absl::StrContains(name, name_) && !absl::StrContains(name, "disk-probe")) {
    return IOStatus::OK();
  }
  if (fault != Fault::kNoSpace) return IOStatus::IOError(name, "Input/output error");
  // As RocksDB's own file system has it.
  IOStatus full = IOStatus::NoSpace(name, "No space left on device");
  full.SetRetryable(true);
  return full;
}

IOStatus FailingFileSystem::NewWritableFile(const std::string& name,
                                            const rocksdb::FileOptions& options,
                                            std::unique_ptr<FSWritableFile>* file,
                                            IODebugContext* debug) {
  IOStatus status = target()->NewWritableFile(name, options, file, debug);
  if (status.ok()) *file = std::make_unique<FailingWritableFile>(std::move(*file), name, this);
  return status;
}

IOStatus FailingFileSystem::NewRandomAccessFile(const std::string& name,
                                                const rocksdb::FileOptions& options,
                                                std::unique_ptr<FSRandomAccessFile>* file,
                                                IODebugContext* debug) {
  IOStatus status = Check(Fault::kTooManyFiles, name);
  if (status.ok()) status = target()->NewRandomAccessFile(name, options, file, debug);
  if (status.ok()) *file = std::make_unique<FailingRandomAccessFile>(std::move(*file), name, this);
  return status;
}

}  // namespace winnow
