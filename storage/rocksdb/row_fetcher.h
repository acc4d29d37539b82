#ifndef WINNOW_STORAGE_ROCKSDB_ROW_FETCHER_H_
#define WINNOW_STORAGE_ROCKSDB_ROW_FETCHER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rocksdb/cache.h"
#include "storage/entry_store.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/reader_pool.h"

namespace winnow {

// An entry of the row cache, pinned.
class CachedRow {
 public:
  CachedRow() = default;
  CachedRow(rocksdb::Cache* cache, rocksdb::Cache::Handle* handle)
      : cache_(cache), handle_(handle) {}
  ~CachedRow() { Reset(); }
  CachedRow(CachedRow&& other) noexcept { *this = std::move(other); }
  CachedRow& operator=(CachedRow&& other) noexcept;

  const std::byte* row() const {
    return handle_ == nullptr ? nullptr : static_cast<const std::byte*>(cache_->Value(handle_));
  }

 private:
  void Reset();

  rocksdb::Cache* cache_ = nullptr;
  rocksdb::Cache::Handle* handle_ = nullptr;
};

struct FetchedRows::Parts {
  std::shared_ptr<rocksdb::Cache> cache;  // outlives the rows
  std::vector<CachedRow> pinned;
  std::vector<const std::byte*> rows;
  uint64_t cache_hits = 0;
};

// Reads rows anywhere. A row is found in the cache or by one of the pool's threads, so that the
// disk has many reads to choose from. Thread-safe.
class RowFetcher {
 public:
  RowFetcher(const Database* database, size_t cache_bytes, int reader_threads);

  absl::StatusOr<std::unique_ptr<FetchedRows::Parts>> Fetch(std::span<const RowRef> rows,
                                                            size_t row_bytes, absl::Time deadline);
  size_t memory_bytes() const { return cache_->GetUsage(); }

 private:
  class Job;

  const Database* const database_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  ReaderPool pool_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_ROW_FETCHER_H_
