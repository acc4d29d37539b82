#include "storage/rocksdb/store_writer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kernels/layout.h"
#include "rocksdb/write_batch.h"
#include "storage/error.h"
#include "storage/failpoint.h"
#include "storage/page_set.h"
#include "storage/rocksdb/catalog.h"
#include "storage/rocksdb/checks.h"
#include "storage/rocksdb/keys.h"
#include "storage/rocksdb/row_group.h"

namespace winnow {
namespace {

// So that creating a context seldom waits for the disk.
constexpr uint64_t kReservedNumbers = 1024;
// A record of a batch beside its value: tag, family, lengths, key and check.
constexpr size_t kRecordBytes = 40;
// Records of contexts and runs take about twice as much in memory as in the log.
constexpr uint64_t kMaxRecordBytes = uint64_t{16} << 20;

WriteMode ModeOf(Durability durability) {
  switch (durability) {
    case Durability::kMemory:
      return WriteMode::kUnlogged;
    case Durability::kSynced:
      return WriteMode::kSynced;
    default:
      return WriteMode::kLogged;
  }
}

absl::Status CheckSizes(const Profile& profile, std::span<const StoreWrite> writes) {
  for (const StoreWrite& write : writes) {
    const size_t key_bytes = profile.has_index(write.layer) ? profile.key_bytes() : 0;
    if (write.count == 0 || write.first + write.count > kStripeEntries ||
        write.kv_rows.size() != write.count * profile.row_bytes() ||
        write.index_keys.size() != write.count * key_bytes) {
      return Error(absl::StatusCode::kInternal, "STORE_SIZE",
                   absl::StrCat("an append of ", write.count, " entries at ", write.first, " has ",
                                write.index_keys.size(), " bytes of keys and ",
                                write.kv_rows.size(), " bytes of rows"));
    }
  }
  return absl::OkStatus();
}

// Puts the entries of an append into a batch.
class EntryBatch {
 public:
  EntryBatch(const Database& database, uint32_t segment, const ContextRecord& record,
             uint32_t stripe, std::span<const StoreWrite> writes)
      : database_(database), key_{segment, record.number}, batch_(Reserve(writes)) {
    const size_t key_bytes = record.profile.key_bytes();
    const size_t row_bytes = record.profile.row_bytes();
    for (const StoreWrite& write : writes) {
      key_.layer = write.layer;
      const uint32_t first = stripe * kStripeEntries + write.first;
      const uint32_t end = first + write.count;
      for (uint32_t i = first; i < end && !write.index_keys.empty();) {
        const uint32_t page_end = (i / kernels::kPageEntries + 1) * kernels::kPageEntries;
        const uint32_t count = std::min(page_end, end) - i;
        Put(Plane::kIndex, i, &write.index_keys[(i - first) * key_bytes], count, key_bytes);
        i += count;
      }
      for (uint32_t i = first; i < end;) {
        const RowGroup group = GroupOf(i, row_bytes);
        const uint32_t count = group.first == i && group.end <= end ? group.end - i : 1;
        Put(Plane::kKv, i, &write.kv_rows[(i - first) * row_bytes], count, row_bytes);
        i += count;
      }
      entry_bytes_ += write.index_keys.size() + write.kv_rows.size();
    }
  }

  rocksdb::WriteBatch* batch() { return &batch_; }
  uint64_t entry_bytes() const { return entry_bytes_; }

 private:
  static size_t Reserve(std::span<const StoreWrite> writes) {
    size_t bytes = kRecordBytes;
    for (const StoreWrite& write : writes) {
      bytes += write.index_keys.size() + write.kv_rows.size() + 2 * write.count * kRecordBytes;
    }
    return bytes;
  }

  void Put(Plane plane, uint32_t position, const std::byte* entries, uint32_t count,
           size_t entry_bytes) {
    key_.plane = plane;
    key_.position = position;
    const EntryKeyBytes key(key_);
    const uint64_t check = EntriesCheck(key, position, entries, count, entry_bytes);
    const rocksdb::Slice key_part = key.slice();
    const rocksdb::Slice value_parts[] = {
        {reinterpret_cast<const char*>(entries), count * entry_bytes},
        {reinterpret_cast<const char*>(&check), sizeof check}};
    batch_.Put(database_.entries(), rocksdb::SliceParts(&key_part, 1),
               rocksdb::SliceParts(value_parts, 2));
  }

  const Database& database_;
  EntryKey key_;
  rocksdb::WriteBatch batch_;
  uint64_t entry_bytes_ = 0;
};

}  // namespace

StoreWriter::StoreWriter(Database* database, SegmentBook* book, const Resumed& resumed,
                         uint64_t segment_bytes, absl::Duration patience)
    : database_(database),
      book_(book),
      segment_bytes_(segment_bytes),
      max_record_bytes_(std::min(segment_bytes, kMaxRecordBytes)),
      patience_(patience),
      segment_(resumed.next_segment),
      next_number_(resumed.next_number),
      reserved_(resumed.next_number) {}

StoreWriter::~StoreWriter() {
  // What cannot be written now is in the log.
  Flush().IgnoreError();
}

absl::StatusOr<uint64_t> StoreWriter::TakeNumber() {
  absl::MutexLock lock(&number_mu_);
  if (next_number_ == reserved_) {
    rocksdb::WriteBatch batch;
    PutNextNumber(*database_, reserved_ + kReservedNumbers, &batch);
    absl::Status status = WriteRecords(&batch, WriteMode::kSynced);
    if (!status.ok()) return status;
    reserved_ += kReservedNumbers;
  }
  return next_number_++;
}

bool StoreWriter::HasUnlogged(std::span<const StoredStripe> stripes) const {
  absl::ReaderMutexLock lock(&gate_);
  for (const StoredStripe& stripe : stripes) {
    for (const std::vector<StoredRun>& runs : stripe.layers) {
      for (const StoredRun& run : runs) {
        if (run.extent->segment() > flushed_ && book_->IsUnlogged(*run.extent)) return true;
      }
    }
  }
  return false;
}

absl::Status StoreWriter::AddContext(ContextRecord* record, std::span<const StoredStripe> stripes) {
  const auto number = TakeNumber();
  if (!number.ok()) return number.status();
  if (record->durability != Durability::kMemory) {
    if (HasUnlogged(stripes)) {
      if (absl::Status status = Flush(); !status.ok()) return status;
    }
    ContextRecord numbered = *record;
    numbered.number = *number;
    rocksdb::WriteBatch batch;
    PutContext(*database_, numbered, &batch);
    for (const StoredStripe& stripe : stripes) PutStripe(*database_, *number, stripe, &batch);
    Failpoint("context.add");
    absl::Status status = AddRecords(&batch, ModeOf(record->durability));
    if (!status.ok()) return status;
    PinStripes(*number, stripes);
  }
  record->number = *number;
  return absl::OkStatus();
}

void StoreWriter::PinStripes(uint64_t number, std::span<const StoredStripe> stripes) {
  for (const StoredStripe& stripe : stripes) {
    for (const std::vector<StoredRun>& runs : stripe.layers) {
      for (const StoredRun& run : runs) book_->Pin(number, run.extent);
    }
  }
}

absl::Status StoreWriter::UpdateContext(const ContextRecord& record) {
  if (record.durability == Durability::kMemory) return absl::OkStatus();
  rocksdb::WriteBatch batch;
  PutContext(*database_, record, &batch);
  return AddRecords(&batch, ModeOf(record.durability));
}

absl::Status StoreWriter::AddRecords(rocksdb::WriteBatch* batch, WriteMode mode) {
  if (absl::Status status = CloseIfFull(absl::InfiniteFuture()); !status.ok()) return status;
  if (absl::Status status = database_->CheckRoom(batch->GetDataSize()); !status.ok()) return status;
  return WriteRecords(batch, mode);
}

absl::Status StoreWriter::WriteRecords(rocksdb::WriteBatch* batch, WriteMode mode) {
  const absl::Status status = database_->Write(batch, mode);
  if (status.ok()) open_.AddRecordBytes(batch->GetDataSize());
  return status;
}

absl::Status StoreWriter::RemoveContext(const ContextRecord& record) {
  if (record.durability == Durability::kMemory) return absl::OkStatus();
  // A full disk does not keep contexts from being removed, nor does one that is behind.
  if (IsFull() && database_->CheckRoom(0).ok()) CloseIfFull(absl::InfinitePast()).IgnoreError();
  // Shared, so that no segment is closed, and its runs recorded, in between.
  absl::ReaderMutexLock lock(&gate_);
  rocksdb::WriteBatch batch;
  if (absl::Status status = DeleteContext(*database_, record.number, &batch); !status.ok()) {
    return status;
  }
  Failpoint("context.remove");
  // Synced, for otherwise a loss of power could bring back the record but not its entries.
  absl::Status status = WriteRecords(&batch, WriteMode::kSynced);
  if (!status.ok()) return status;
  open_.Forget(record.number);
  book_->Unpin(record.number);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Extent>> StoreWriter::Append(
    const ContextRecord& record, uint32_t stripe, std::span<const StoreWrite> writes,
    absl::Time deadline) {
  if (absl::Status status = CheckSizes(record.profile, writes); !status.ok()) return status;
  if (absl::Status status = CloseIfFull(deadline); !status.ok()) return status;
  const WriteMode mode = ModeOf(record.durability);
  const bool logged = mode != WriteMode::kUnlogged;

  absl::ReaderMutexLock lock(&gate_);
  if (absl::Status status = open_.Check(record.number, stripe, writes); !status.ok()) {
    return status;
  }
  // Before the entries are written, or a flush would find them dead.
  auto extent = book_->Take(record.number, segment_);
  EntryBatch batch(*database_, segment_, record, stripe, writes);
  const uint64_t bytes = batch.batch()->GetDataSize();
  if (absl::Status status = database_->CheckRoom(bytes); !status.ok()) return status;
  Failpoint("append.before_log");
  if (absl::Status status = database_->Write(batch.batch(), mode); !status.ok()) return status;
  Failpoint("append.logged");
  if (logged) {
    open_.Add(record.number, stripe, writes);
    book_->Pin(record.number, extent);
  }
  open_.AddBytes(bytes);
  book_->Wrote(*extent, bytes, logged);
  appended_bytes_.fetch_add(batch.entry_bytes(), std::memory_order_relaxed);
  return extent;
}

bool StoreWriter::IsFull() const {
  return open_.bytes() >= segment_bytes_ || open_.record_bytes() >= max_record_bytes_;
}

absl::Status StoreWriter::CloseIfFull(absl::Time deadline) {
  if (!IsFull()) return absl::OkStatus();
  // Before the gate is shut: others can be removed or appended to while this one waits.
  const absl::Duration patience = std::min(patience_, deadline - absl::Now());
  if (absl::Status status = database_->AwaitFlushed(patience); !status.ok()) return status;
  absl::WriterMutexLock lock(&gate_);
  if (!IsFull()) return absl::OkStatus();
  if (absl::Status status = Close(); !status.ok()) return status;
  // If it is refused, the entries stay in memory and in the log, and the next write says why.
  database_->FlushSegment().IgnoreError();
  Failpoint("segment.closed");
  return absl::OkStatus();
}

absl::Status StoreWriter::Close() {
  if (open_.bytes() == 0) {
    open_.Clear();
    return absl::OkStatus();
  }
  Failpoint("segment.close");
  rocksdb::WriteBatch batch;
  for (const OpenRun& run : open_.runs()) {
    PutRun(*database_, {{run.number, run.stripe, run.layer, run.end}, run.number, segment_},
           &batch);
  }
  PutClosed(*database_, segment_, book_->Extents(segment_), &batch);
  if (absl::Status status = database_->Write(&batch, WriteMode::kLogged); !status.ok()) {
    return status;
  }
  ++segment_;
  open_.Clear();
  return absl::OkStatus();
}

absl::Status StoreWriter::Flush() {
  absl::WriterMutexLock lock(&gate_);
  if (absl::Status status = Close(); !status.ok()) return status;
  if (absl::Status status = database_->FlushAll(); !status.ok()) return status;
  flushed_ = segment_ - 1;
  return absl::OkStatus();
}

}  // namespace winnow
