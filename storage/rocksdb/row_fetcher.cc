#include "storage/rocksdb/row_fetcher.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "storage/error.h"
#include "storage/rocksdb/checks.h"
#include "storage/rocksdb/keys.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

constexpr std::align_val_t kRowAlignment{16};

EntryKey KeyOf(const RowRef& row) {
  return {row.extent->segment(), row.extent->context_number(), Plane::kKv, row.layer, row.position};
}

void DeleteRow(const rocksdb::Slice&, void* row) { operator delete(row, kRowAlignment); }

absl::Status TooLate() { return absl::DeadlineExceededError("rows were not read in time"); }

}  // namespace

CachedRow& CachedRow::operator=(CachedRow&& other) noexcept {
  Reset();
  cache_ = other.cache_;
  handle_ = std::exchange(other.handle_, nullptr);
  return *this;
}

void CachedRow::Reset() {
  if (handle_ != nullptr) cache_->Release(handle_);
  handle_ = nullptr;
}

// Rows that were not in the cache. Owned by the caller and by every thread that works for it, so
// that a caller who ran out of time can leave.
class RowFetcher::Job {
 public:
  struct Miss {
    EntryKeyBytes bytes;
    EntryKey key;
    size_t place = 0;  // in the references
  };

  Job(const Database* database, std::shared_ptr<rocksdb::Cache> cache, std::vector<Miss> misses,
      size_t row_bytes)
      : database_(database),
        cache_(std::move(cache)),
        misses_(std::move(misses)),
        row_bytes_(row_bytes),
        rows_(misses_.size()) {}

  const std::vector<Miss>& misses() const { return misses_; }

  // Reads rows until none is left. Run by many threads at once.
  void Work() {
    size_t read = 0;
    absl::Status failed;
    for (size_t i = 0; !cancelled_.load(std::memory_order_relaxed) &&
                       (i = next_.fetch_add(1, std::memory_order_relaxed)) < misses_.size();) {
      if (failed = Read(misses_[i], &rows_[i]); !failed.ok()) break;
      ++read;
    }
    absl::MutexLock lock(&mu_);
    read_ += read;
    if (!failed.ok() && status_.ok()) {
      cancelled_.store(true, std::memory_order_relaxed);
      status_ = std::move(failed);
    }
  }

  // The rows in the order of the misses.
  absl::StatusOr<std::vector<CachedRow>> Await(absl::Time deadline) {
    absl::MutexLock lock(&mu_);
    if (!mu_.AwaitWithDeadline(absl::Condition(this, &Job::IsDone), deadline)) {
      cancelled_.store(true, std::memory_order_relaxed);
      return TooLate();
    }
    if (!status_.ok()) return status_;
    return std::move(rows_);
  }

 private:
  bool IsDone() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return !status_.ok() || read_ == misses_.size();
  }

  absl::Status Read(const Miss& miss, CachedRow* row) const {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    rocksdb::PinnableSlice value;
    const rocksdb::Status status =
        database_->db()->Get(options, database_->entries(), miss.bytes.slice(), &value);
    const auto corrupt = [&](const std::string& what) {
      return CorruptEntries(miss.key.number, miss.key.layer, miss.key.position,
                            uint64_t{miss.key.position} + 1, what);
    };
    if (status.IsNotFound()) return corrupt("it is missing");
    if (status.IsCorruption()) return corrupt(status.ToString());
    if (!status.ok()) return FromRocksdb(status, "reading rows");
    if (VerifyEntries(miss.bytes, miss.key.position, row_bytes_, value) != 1) {
      return corrupt("what is there does not match its check");
    }
    void* copy = operator new(row_bytes_, kRowAlignment);
    std::memcpy(copy, value.data(), row_bytes_);
    rocksdb::Cache::Handle* handle = nullptr;
    cache_->Insert(miss.bytes.slice(), copy, row_bytes_, &DeleteRow, &handle);
    *row = CachedRow(cache_.get(), handle);
    return absl::OkStatus();
  }

  const Database* const database_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::vector<Miss> misses_;
  const size_t row_bytes_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> cancelled_ = false;
  // Each written by the thread that drew its number, taken by the caller once all are read.
  std::vector<CachedRow> rows_;

  absl::Mutex mu_;
  size_t read_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

RowFetcher::RowFetcher(const Database* database, size_t cache_bytes, int reader_threads)
    : database_(database), cache_(rocksdb::NewLRUCache(cache_bytes)), pool_(reader_threads) {}

absl::StatusOr<std::unique_ptr<FetchedRows::Parts>> RowFetcher::Fetch(std::span<const RowRef> rows,
                                                                      size_t row_bytes,
                                                                      absl::Time deadline) {
  if (absl::Now() >= deadline) return TooLate();
  auto parts = std::make_unique<FetchedRows::Parts>();
  parts->cache = cache_;
  parts->rows.resize(rows.size());
  parts->pinned.reserve(rows.size());
  std::vector<Job::Miss> misses;
  for (size_t i = 0; i < rows.size(); ++i) {
    const EntryKey key = KeyOf(rows[i]);
    const EntryKeyBytes bytes(key);
    if (rocksdb::Cache::Handle* handle = cache_->Lookup(bytes.slice())) {
      parts->rows[i] = parts->pinned.emplace_back(cache_.get(), handle).row();
    } else {
      misses.push_back({bytes, key, i});
    }
  }
  parts->cache_hits = rows.size() - misses.size();
  if (misses.empty()) return parts;

  std::sort(misses.begin(), misses.end(),
            [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  const std::vector<Job::Miss> wanted = misses;  // with duplicates
  misses.erase(std::unique(misses.begin(), misses.end(),
                           [](const auto& a, const auto& b) { return a.bytes == b.bytes; }),
               misses.end());
  auto job = std::make_shared<Job>(database_, cache_, std::move(misses), row_bytes);
  const size_t copies = std::min<size_t>(pool_.threads(), job->misses().size());
  pool_.Submit(static_cast<int>(copies), [job] { job->Work(); });
  auto read = job->Await(deadline);
  if (!read.ok()) return read.status();
  size_t at = 0;
  for (const Job::Miss& miss : wanted) {
    while (!(job->misses()[at].bytes == miss.bytes)) ++at;
    parts->rows[miss.place] = (*read)[at].row();
  }
  for (CachedRow& row : *read) parts->pinned.push_back(std::move(row));
  return parts;
}

}  // namespace winnow
