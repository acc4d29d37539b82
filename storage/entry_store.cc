#include "storage/entry_store.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/time/clock.h"
#include "storage/rocksdb/entry_store_impl.h"
#include "storage/rocksdb/status.h"

namespace winnow {

FetchedRows::FetchedRows() = default;
FetchedRows::~FetchedRows() = default;
FetchedRows::FetchedRows(FetchedRows&&) noexcept = default;
FetchedRows& FetchedRows::operator=(FetchedRows&&) noexcept = default;

std::span<const std::byte* const> FetchedRows::rows() const {
  if (parts_ == nullptr) return {};
  return parts_->rows;
}

uint64_t FetchedRows::cache_hits() const { return parts_ == nullptr ? 0 : parts_->cache_hits; }

EntryStore::EntryStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EntryStore::~EntryStore() = default;

absl::StatusOr<std::unique_ptr<EntryStore>> EntryStore::Open(const EntryStoreOptions& options,
                                                             Recovery* recovery) {
  const absl::Time start = absl::Now();
  *recovery = {};
  auto book = std::make_shared<SegmentBook>();
  auto filter = std::make_shared<LiveFilterFactory>(book);
  auto database = Database::Open(options, filter);
  if (!database.ok()) return InDirectory(options.directory, database.status());
  const auto resumed = Recover(database->get(), book.get(), recovery);
  if (!resumed.ok()) {
    recovery->contexts.clear();
    return InDirectory(options.directory, resumed.status());
  }
  filter->Arm();
  recovery->duration = absl::Now() - start;
  return std::unique_ptr<EntryStore>(new EntryStore(
      std::make_unique<Impl>(options, *std::move(database), std::move(book), *resumed)));
}

absl::Status EntryStore::AddContext(ContextRecord* record, std::span<const StoredStripe> stripes) {
  return impl_->writer.AddContext(record, stripes);
}

absl::Status EntryStore::UpdateContext(const ContextRecord& record) {
  return impl_->writer.UpdateContext(record);
}

absl::Status EntryStore::RemoveContext(const ContextRecord& record) {
  return impl_->writer.RemoveContext(record);
}

absl::StatusOr<std::shared_ptr<const Extent>> EntryStore::Append(const ContextRecord& record,
                                                                 uint32_t stripe,
                                                                 std::span<const StoreWrite> writes,
                                                                 absl::Time deadline) {
  return impl_->writer.Append(record, stripe, writes, deadline);
}

absl::Status EntryStore::Flush() { return impl_->writer.Flush(); }

absl::Status EntryStore::ReadKeys(const StoredRange& range, size_t key_bytes, absl::Time deadline,
                                  std::byte* keys) {
  return ReadRange(*impl_->database, range, Plane::kIndex, key_bytes, deadline, keys);
}

absl::Status EntryStore::ReadRows(const StoredRange& range, size_t row_bytes, absl::Time deadline,
                                  std::byte* rows) {
  return ReadRange(*impl_->database, range, Plane::kKv, row_bytes, deadline, rows);
}

absl::StatusOr<FetchedRows> EntryStore::FetchRows(std::span<const RowRef> rows, size_t row_bytes,
                                                  absl::Time deadline) {
  auto parts = impl_->fetcher.Fetch(rows, row_bytes, deadline);
  if (!parts.ok()) return parts.status();
  FetchedRows fetched;
  fetched.parts_ = *std::move(parts);
  return fetched;
}

StoreUsage EntryStore::usage() const {
  StoreUsage usage;
  std::error_code error;
  for (std::filesystem::directory_iterator i(impl_->directory, error), end; !error && i != end;
       i.increment(error)) {
    // Files may be deleted in between.
    std::error_code gone;
    const uintmax_t bytes = i->file_size(gone);
    if (!gone) usage.disk_bytes += bytes;
  }
  usage.appended_bytes = impl_->writer.appended_bytes();
  usage.written_bytes = impl_->database->written_bytes();
  usage.memory_bytes = impl_->database->memory_bytes() + impl_->fetcher.memory_bytes();
  return usage;
}

absl::Status EntryStore::Reclaim() { return impl_->reclaimer.Run(); }

}  // namespace winnow
