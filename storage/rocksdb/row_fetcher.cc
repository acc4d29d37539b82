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
#include "storage/rocksdb/row_group.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

constexpr std::align_val_t kRowAlignment{16};

EntryKey KeyOf(const RowRef& row) {
  return {row.extent->segment(), row.extent->context_number(), Plane::kKv, row.layer, row.position};
}

void DeleteRow(const rocksdb::Slice&, void* row) { operator delete(row, kRowAlignment); }

absl::Status TooLate() {
  return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE", "rows were not read in time");
}

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

  // The misses are sorted and differ.
  Job(const Database* database, std::shared_ptr<rocksdb::Cache> cache, std::vector<Miss> misses,
      size_t row_bytes)
      : database_(database),
        cache_(std::move(cache)),
        misses_(std::move(misses)),
        row_bytes_(row_bytes),
        rows_(misses_.size()) {
    for (size_t i = 0; i < misses_.size(); ++i) {
      if (i == 0 || !SameGroup(misses_[i - 1].key, misses_[i].key)) group_begins_.push_back(i);
    }
  }

  const std::vector<Miss>& misses() const { return misses_; }
  size_t groups() const { return group_begins_.size(); }

  // Reads groups of rows until none is left. Run by many threads at once.
  void Work() {
    size_t read = 0;
    absl::Status failed;
    for (size_t i = 0; !cancelled_.load(std::memory_order_relaxed) &&
                       (i = next_.fetch_add(1, std::memory_order_relaxed)) < groups();) {
      if (failed = ReadGroup(i); !failed.ok()) break;
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
  // Consecutive rows in one value.
  struct Loaded {
    uint32_t first = 0;  // positions in the context
    uint32_t end = 0;
    rocksdb::PinnableSlice value;

    bool Holds(uint32_t position) const { return first <= position && position < end; }
  };

  bool IsDone() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !status_.ok() || read_ == groups(); }

  bool SameGroup(const EntryKey& a, const EntryKey& b) const {
    return a.segment == b.segment && a.number == b.number && a.layer == b.layer &&
           GroupOf(a.position, row_bytes_).first == GroupOf(b.position, row_bytes_).first;
  }

  absl::Status ReadGroup(size_t group) {
    const size_t end = group + 1 < groups() ? group_begins_[group + 1] : misses_.size();
    Loaded loaded;
    for (size_t i = group_begins_[group]; i < end; ++i) {
      const Miss& miss = misses_[i];
      if (!loaded.Holds(miss.key.position)) {
        if (absl::Status status = Find(miss.key, &loaded); !status.ok()) return status;
      }
      rows_[i] = Cache(miss.bytes, loaded, miss.key.position);
    }
    return absl::OkStatus();
  }

  // Loads the value that holds the row: that of its group, or its own.
  absl::Status Find(const EntryKey& row, Loaded* loaded) {
    EntryKey group = row;
    group.position = GroupOf(row.position, row_bytes_).first;
    const bool grouped = grouped_.load(std::memory_order_relaxed);
    std::string damage;
    for (const EntryKey& key : {grouped ? group : row, grouped ? row : group}) {
      if (absl::Status status = Load(key, loaded, &damage); !status.ok()) return status;
      if (!loaded->Holds(row.position)) continue;
      if (row.position != group.position) {
        grouped_.store(key.position == group.position, std::memory_order_relaxed);
      }
      return absl::OkStatus();
    }
    return CorruptEntries(row.number, row.layer, row.position, uint64_t{row.position} + 1,
                          damage.empty() ? "it is missing" : damage);
  }

  // Loads no rows if there is no such key, or if its value is damaged.
  absl::Status Load(const EntryKey& key, Loaded* loaded, std::string* damage) const {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const EntryKeyBytes bytes(key);
    loaded->first = loaded->end = key.position;
    loaded->value.Reset();
    const rocksdb::Status status =
        database_->db()->Get(options, database_->entries(), bytes.slice(), &loaded->value);
    if (status.IsCorruption()) *damage = status.ToString();
    if (status.IsNotFound() || status.IsCorruption()) return absl::OkStatus();
    if (!status.ok()) return FromRocksdb(status, "reading rows");
    const uint32_t count = VerifyEntries(bytes, key.position, row_bytes_, loaded->value);
    if (count == 0) *damage = "what is there does not match its check";
    loaded->end += count;
    return absl::OkStatus();
  }

  CachedRow Cache(const EntryKeyBytes& key, const Loaded& loaded, uint32_t position) const {
    void* copy = operator new(row_bytes_, kRowAlignment);
    std::memcpy(copy, loaded.value.data() + (position - loaded.first) * row_bytes_, row_bytes_);
    rocksdb::Cache::Handle* handle = nullptr;
    cache_->Insert(key.slice(), copy, row_bytes_, &DeleteRow, &handle);
    return CachedRow(cache_.get(), handle);
  }

  const Database* const database_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::vector<Miss> misses_;
  const size_t row_bytes_;
  std::vector<size_t> group_begins_;  // in the misses
  std::atomic<size_t> next_ = 0;      // of the groups
  std::atomic<bool> cancelled_ = false;
  // Where the last row was found, and so probably the next: a wrong guess costs a read.
  std::atomic<bool> grouped_ = true;
  // Each written by the thread that drew its group, taken by the caller once all are read.
  std::vector<CachedRow> rows_;

  absl::Mutex mu_;
  size_t read_ ABSL_GUARDED_BY(mu_) = 0;  // groups
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
  const size_t copies = std::min<size_t>(pool_.threads(), job->groups());
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
