#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "services/cluster/metadata.h"
#include "services/cluster/metadata_file.h"
#include "storage/error.h"

namespace winnow::cluster {
namespace {

class EmbeddedMetadata final : public MetadataStore {
 public:
  // The file may be null: then nothing is kept.
  EmbeddedMetadata(std::unique_ptr<MetadataFile> file, MetadataContents contents)
      : file_(std::move(file)), held_(std::move(contents)) {}

  absl::StatusOr<MetadataEntry> Get(std::string_view key) override {
    absl::MutexLock lock(&mu_);
    const auto it = held_.entries.find(key);
    if (it == held_.entries.end()) return NotHeld(key);
    return it->second;
  }

  absl::StatusOr<std::vector<MetadataEntry>> List(std::string_view prefix) override {
    std::vector<MetadataEntry> found;
    absl::MutexLock lock(&mu_);
    for (auto it = held_.entries.lower_bound(prefix);
         it != held_.entries.end() && it->first.starts_with(prefix); ++it) {
      found.push_back(it->second);
    }
    return found;
  }

  absl::StatusOr<int64_t> Put(std::string_view key, std::string_view value,
                              int64_t expected_revision) override {
    absl::MutexLock lock(&mu_);
    if (absl::Status status = CheckRevision(key, expected_revision); !status.ok()) return status;
    MetadataContents next = held_;
    next.entries.insert_or_assign(std::string(key), MetadataEntry{.key = std::string(key),
                                                                  .value = std::string(value),
                                                                  .revision = ++next.revision});
    if (absl::Status status = Become(std::move(next)); !status.ok()) return status;
    return held_.revision;
  }

  absl::Status Delete(std::string_view key, int64_t expected_revision) override {
    absl::MutexLock lock(&mu_);
    if (!held_.entries.contains(key)) return NotHeld(key);
    if (absl::Status status = CheckRevision(key, expected_revision); !status.ok()) return status;
    MetadataContents next = held_;
    ++next.revision;
    next.entries.erase(next.entries.find(key));
    return Become(std::move(next));
  }

 private:
  static absl::Status NotHeld(std::string_view key) {
    return Error(absl::StatusCode::kNotFound, "UNKNOWN_KEY",
                 absl::StrCat("no metadata under ", std::string(key)));
  }

  absl::Status CheckRevision(std::string_view key, int64_t expected) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto it = held_.entries.find(key);
    const int64_t held = it == held_.entries.end() ? 0 : it->second.revision;
    if (held == expected) return absl::OkStatus();
    return Error(absl::StatusCode::kAborted, "REVISION_MISMATCH",
                 absl::StrCat(std::string(key), " is at revision ", held, ", not ", expected),
                 {{"revision", absl::StrCat(held)}});
  }

  absl::Status Become(MetadataContents next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (file_ != nullptr) {
      if (absl::Status status = file_->Save(next); !status.ok()) return status;
    }
    held_ = std::move(next);
    return absl::OkStatus();
  }

  absl::Mutex mu_;
  const std::unique_ptr<MetadataFile> file_ ABSL_PT_GUARDED_BY(mu_);
  MetadataContents held_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<MetadataStore> NewEmbeddedMetadata() {
  return std::make_unique<EmbeddedMetadata>(nullptr, MetadataContents());
}

absl::StatusOr<std::unique_ptr<MetadataStore>> OpenEmbeddedMetadata(const std::string& path) {
  absl::StatusOr<std::unique_ptr<MetadataFile>> file = MetadataFile::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<MetadataContents> contents = (*file)->Load();
  if (!contents.ok()) return contents.status();
  return std::make_unique<EmbeddedMetadata>(*std::move(file), *std::move(contents));
}

}  // namespace winnow::cluster
