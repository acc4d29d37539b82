#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "services/cluster/metadata.h"
#include "storage/error.h"

namespace winnow::cluster {
namespace {

class EmbeddedMetadata final : public MetadataStore {
 public:
  absl::StatusOr<MetadataEntry> Get(std::string_view key) override {
    absl::MutexLock lock(&mu_);
    const auto it = entries_.find(key);
    if (it == entries_.end()) return NotHeld(key);
    return it->second;
  }

  absl::StatusOr<std::vector<MetadataEntry>> List(std::string_view prefix) override {
    std::vector<MetadataEntry> found;
    absl::MutexLock lock(&mu_);
    for (auto it = entries_.lower_bound(prefix);
         it != entries_.end() && it->first.starts_with(prefix); ++it) {
      found.push_back(it->second);
    }
    return found;
  }

  absl::StatusOr<int64_t> Put(std::string_view key, std::string_view value,
                              int64_t expected_revision) override {
    absl::MutexLock lock(&mu_);
    if (absl::Status status = CheckRevision(key, expected_revision); !status.ok()) return status;
    entries_.insert_or_assign(std::string(key), MetadataEntry{.key = std::string(key),
                                                              .value = std::string(value),
                                                              .revision = ++revision_});
    return revision_;
  }

  absl::Status Delete(std::string_view key, int64_t expected_revision) override {
    absl::MutexLock lock(&mu_);
    const auto it = entries_.find(key);
    if (it == entries_.end()) return NotHeld(key);
    if (absl::Status status = CheckRevision(key, expected_revision); !status.ok()) return status;
    ++revision_;
    entries_.erase(it);
    return absl::OkStatus();
  }

 private:
  static absl::Status NotHeld(std::string_view key) {
    return Error(absl::StatusCode::kNotFound, "UNKNOWN_KEY",
                 absl::StrCat("no metadata under ", std::string(key)));
  }

  absl::Status CheckRevision(std::string_view key, int64_t expected) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto it = entries_.find(key);
    const int64_t held = it == entries_.end() ? 0 : it->second.revision;
    if (held == expected) return absl::OkStatus();
    return Error(absl::StatusCode::kAborted, "REVISION_MISMATCH",
                 absl::StrCat(std::string(key), " is at revision ", held, ", not ", expected),
                 {{"revision", absl::StrCat(held)}});
  }

  absl::Mutex mu_;
  int64_t revision_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, MetadataEntry, std::less<>> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<MetadataStore> NewEmbeddedMetadata() {
  return std::make_unique<EmbeddedMetadata>();
}

}  // namespace winnow::cluster
