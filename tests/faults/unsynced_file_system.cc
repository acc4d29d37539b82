#include "tests/faults/unsynced_file_system.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <utility>

namespace winnow::testing {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// Paths are compared as text.
std::string Clean(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

SurvivingFile Surviving(const std::string& bytes, std::shared_ptr<const std::string> synced) {
  SurvivingFile file{.synced = std::move(synced)};
  if (bytes.size() > file.synced->size()) file.unsynced = bytes.substr(file.synced->size());
  return file;
}

}  // namespace

class UnsyncedFileSystem::File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(UnsyncedFileSystem* disk, std::shared_ptr<Inode> inode,
       std::unique_ptr<FSWritableFile> target)
      : FSWritableFileOwnerWrapper(std::move(target)), disk_(disk), inode_(std::move(inode)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Write(data, End(), target()->Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*checksum*/,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return Write(data, offset, target()->PositionedAppend(data, offset, options, debug));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& /*checksum*/,
                            IODebugContext* debug) override {
    return PositionedAppend(data, offset, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    absl::MutexLock lock(&disk_->mu_);
    inode_->bytes.resize(size);
    return target()->Truncate(size, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus status = target()->Flush(options, debug);
    if (status.ok()) disk_->SyncFile(inode_.get());
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  size_t End() {
    absl::MutexLock lock(&disk_->mu_);
    return inode_->bytes.size();
  }

  IOStatus Write(const Slice& data, uint64_t offset, IOStatus status) {
    if (!status.ok()) return status;
    absl::MutexLock lock(&disk_->mu_);
    if (inode_->bytes.size() < offset + data.size()) inode_->bytes.resize(offset + data.size());
    inode_->bytes.replace(offset, data.size(), data.data(), data.size());
    return status;
  }

  UnsyncedFileSystem* const disk_;
  const std::shared_ptr<Inode> inode_;
};

class UnsyncedFileSystem::Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(UnsyncedFileSystem* disk, std::string path, std::unique_ptr<FSDirectory> target)
      : FSDirectoryWrapper(std::move(target)), disk_(disk), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    disk_->SyncDirectory(path_);
    return IOStatus::OK();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& /*reason*/) override {
    return Fsync(options, debug);
  }

 private:
  UnsyncedFileSystem* const disk_;
  const std::string path_;
};

void UnsyncedFileSystem::set_on_sync(std::function<void(DiskImage)> on_sync) {
  absl::MutexLock lock(&mu_);
  on_sync_ = std::move(on_sync);
}

void UnsyncedFileSystem::Adopt(const std::string& directory) {
  absl::MutexLock lock(&mu_);
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    auto inode = std::make_shared<Inode>();
    inode->bytes.assign(std::istreambuf_iterator<char>(file), {});
    inode->synced = std::make_shared<std::string>(inode->bytes);
    const std::string path = Clean(entry.path());
    names_[path] = inode;
    synced_names_[path] = std::move(inode);
  }
}

void UnsyncedFileSystem::ReportBoundary() {
  if (on_sync_ == nullptr) return;
  DiskImage image;
  for (const auto& [path, inode] : synced_names_) {
    image.synced_names.emplace(path, SurvivingFile{.synced = inode->synced});
  }
  for (const auto& [path, inode] : names_) {
    image.names.emplace(path, Surviving(inode->bytes, inode->synced));
  }
  on_sync_(std::move(image));
}

void UnsyncedFileSystem::SyncFile(Inode* inode) {
  absl::MutexLock lock(&mu_);
  ReportBoundary();
  if (*inode->synced != inode->bytes) inode->synced = std::make_shared<std::string>(inode->bytes);
}

void UnsyncedFileSystem::SyncDirectory(const std::string& path) {
  absl::MutexLock lock(&mu_);
  ReportBoundary();
  const auto inside = [&path](const auto& name) {
    return std::filesystem::path(name.first).parent_path() == path;
  };
  std::erase_if(synced_names_, inside);
  std::copy_if(names_.begin(), names_.end(), std::inserter(synced_names_, synced_names_.end()),
               inside);
}

void UnsyncedFileSystem::Restore(const DiskImage& image, Survival survival, uint64_t seed,
                                 const std::string& from, const std::string& to) {
  std::mt19937_64 random(seed);
  const auto& names = survival == Survival::kSyncedOnly ? image.synced_names : image.names;
  for (const auto& [path, file] : names) {
    if (std::filesystem::path(path).parent_path() != Clean(from)) continue;
    std::string bytes = *file.synced;
    if (survival == Survival::kPartly && !file.unsynced.empty()) {
      bytes += file.unsynced.substr(0, random() % (file.unsynced.size() + 1));
    } else if (survival == Survival::kLengthsOnly) {
      bytes.append(file.unsynced.size(), '\0');
    }
    const std::string name = std::filesystem::path(path).filename();
    std::ofstream(to + "/" + name, std::ios::binary) << bytes;
  }
}

IOStatus UnsyncedFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<FSWritableFile>* file,
                                             IODebugContext* debug) {
  std::unique_ptr<FSWritableFile> target;
  const IOStatus status = target_->NewWritableFile(path, options, &target, debug);
  if (!status.ok()) return status;
  auto inode = std::make_shared<Inode>();
  {
    absl::MutexLock lock(&mu_);
    names_[Clean(path)] = inode;
  }
  *file = std::make_unique<File>(this, std::move(inode), std::move(target));
  return status;
}

IOStatus UnsyncedFileSystem::ReopenWritableFile(const std::string& path, const FileOptions&,
                                                std::unique_ptr<FSWritableFile>*, IODebugContext*) {
  return IOStatus::NotSupported("reopen", path);
}

IOStatus UnsyncedFileSystem::ReuseWritableFile(const std::string& path, const std::string&,
                                               const FileOptions&, std::unique_ptr<FSWritableFile>*,
                                               IODebugContext*) {
  return IOStatus::NotSupported("reuse", path);
}

IOStatus UnsyncedFileSystem::NewRandomRWFile(const std::string& path, const FileOptions&,
                                             std::unique_ptr<rocksdb::FSRandomRWFile>*,
                                             IODebugContext*) {
  return IOStatus::NotSupported("random writes", path);
}

IOStatus UnsyncedFileSystem::LinkFile(const std::string& from, const std::string&, const IOOptions&,
                                      IODebugContext*) {
  return IOStatus::NotSupported("link", from);
}

IOStatus UnsyncedFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                          std::unique_ptr<FSDirectory>* directory,
                                          IODebugContext* debug) {
  std::unique_ptr<FSDirectory> target;
  const IOStatus status = target_->NewDirectory(path, options, &target, debug);
  if (status.ok()) {
    std::filesystem::path clean = std::filesystem::path(path).lexically_normal();
    if (clean.filename().empty()) clean = clean.parent_path();
    *directory = std::make_unique<Directory>(this, clean.string(), std::move(target));
  }
  return status;
}

IOStatus UnsyncedFileSystem::DeleteFile(const std::string& path, const IOOptions& options,
                                        IODebugContext* debug) {
  absl::MutexLock lock(&mu_);
  names_.erase(Clean(path));
  return target_->DeleteFile(path, options, debug);
}

IOStatus UnsyncedFileSystem::RenameFile(const std::string& from, const std::string& to,
                                        const IOOptions& options, IODebugContext* debug) {
  absl::MutexLock lock(&mu_);
  const IOStatus status = target_->RenameFile(from, to, options, debug);
  const auto renamed = names_.extract(Clean(from));
  if (!status.ok() || renamed.empty()) return status;
  names_[Clean(to)] = renamed.mapped();
  return status;
}

IOStatus UnsyncedFileSystem::Truncate(const std::string& path, size_t size,
                                      const IOOptions& options, IODebugContext* debug) {
  absl::MutexLock lock(&mu_);
  if (const auto found = names_.find(Clean(path)); found != names_.end()) {
    found->second->bytes.resize(size);
  }
  return target_->Truncate(path, size, options, debug);
}

}  // namespace winnow::testing
