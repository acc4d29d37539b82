#include "storage/rocksdb/run_reader.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "kernels/layout.h"
#include "storage/error.h"
#include "storage/page_set.h"
#include "storage/rocksdb/checks.h"
#include "storage/rocksdb/options.h"
#include "storage/rocksdb/row_group.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

constexpr size_t kMaxReadAheadBytes = size_t{1} << 20;
// Of a key, a check and RocksDB's own beside each entry; and of the blocks at both ends.
constexpr size_t kOverheadBytes = 40;
constexpr size_t kEndBytes = 8192;
// Values between two looks at the clock.
constexpr int kDeadlineInterval = 64;

// Entries [first, end) of the context that lie in one extent.
struct Piece {
  const Extent* extent;
  uint32_t first;
  uint32_t end;
};

class PieceReader {
 public:
  PieceReader(const Database& database, Plane plane, int layer, size_t entry_bytes,
              absl::Time deadline)
      : database_(database),
        plane_(plane),
        layer_(layer),
        entry_bytes_(entry_bytes),
        deadline_(deadline) {}

  absl::Status Read(const Piece& piece, std::byte* out) {
    number_ = piece.extent->context_number();
    // The value that holds the first entry may begin before it, in the same group or page.
    const uint32_t begin = plane_ == Plane::kKv
                               ? GroupOf(piece.first, entry_bytes_).first
                               : piece.first / kernels::kPageEntries * kernels::kPageEntries;
    const EntryKeyBytes lower = Key(piece, begin);
    const EntryKeyBytes upper = Key(piece, piece.end);
    const rocksdb::Slice bound = upper.slice();
    rocksdb::ReadOptions options = ScanOptions();
    options.iterate_upper_bound = &bound;
    options.readahead_size = ReadAhead(piece.end - piece.first);
    const std::unique_ptr<rocksdb::Iterator> i(
        database_.db()->NewIterator(options, database_.entries()));
    uint32_t next = piece.first;
    for (i->Seek(lower.slice()); i->Valid() && next < piece.end; i->Next()) {
      if (absl::Status status = CheckDeadline(); !status.ok()) return status;
      if (!Copy(piece, i->key(), i->value(), &next, out)) {
        return Corrupt(next, piece.end, "what is there does not match its check");
      }
    }
    return CheckEnd(i->status(), piece, next);
  }

 private:
  // Equal reads that reach just beyond the last entry: what is read ahead of it is wasted.
  size_t ReadAhead(uint32_t entries) const {
    const size_t bytes = entries * (entry_bytes_ + kOverheadBytes) + kEndBytes;
    const size_t reads = (bytes + kMaxReadAheadBytes - 1) / kMaxReadAheadBytes;
    return bytes / reads;
  }

  EntryKeyBytes Key(const Piece& piece, uint32_t position) const {
    return EntryKeyBytes(
        {piece.extent->segment(), piece.extent->context_number(), plane_, layer_, position});
  }

  // False if the value is damaged or is not the next one.
  bool Copy(const Piece& piece, const rocksdb::Slice& encoded, const rocksdb::Slice& value,
            uint32_t* next, std::byte* out) const {
    EntryKey key;
    if (!DecodeEntryKey(encoded, &key)) return false;
    const uint32_t count = VerifyEntries(EntryKeyBytes(key), key.position, entry_bytes_, value);
    if (count == 0 || key.position > *next) return false;
    const uint32_t end = std::min(key.position + count, piece.end);
    if (end <= *next) return true;
    std::memcpy(out + (*next - piece.first) * entry_bytes_,
                value.data() + (*next - key.position) * entry_bytes_, (end - *next) * entry_bytes_);
    *next = end;
    return true;
  }

  absl::Status CheckEnd(const rocksdb::Status& status, const Piece& piece, uint32_t next) const {
    if (status.IsCorruption()) return Corrupt(next, piece.end, status.ToString());
    if (!status.ok()) return FromRocksdb(status, "reading entries");
    return next == piece.end ? absl::OkStatus() : Corrupt(next, piece.end, "they are missing");
  }

  absl::Status Corrupt(uint32_t first, uint32_t end, const std::string& what) const {
    return CorruptEntries(number_, layer_, first, end, what);
  }

  absl::Status CheckDeadline() {
    if (values_++ % kDeadlineInterval != 0 || absl::Now() < deadline_) return absl::OkStatus();
    return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE", "entries were not read in time");
  }

  const Database& database_;
  const Plane plane_;
  const int layer_;
  const size_t entry_bytes_;
  const absl::Time deadline_;
  uint64_t number_ = 0;
  int values_ = 0;
};

}  // namespace

absl::Status ReadRange(const Database& database, const StoredRange& range, Plane plane,
                       size_t entry_bytes, absl::Time deadline, std::byte* out) {
  PieceReader reader(database, plane, range.layer, entry_bytes, deadline);
  const uint32_t base = range.stripe * kStripeEntries;
  uint32_t begin = 0;  // of the run
  uint32_t next = range.first;
  for (const StoredRun& run : range.runs) {
    const uint32_t end = std::min(run.end, range.end);
    if (begin <= next && next < end) {
      const absl::Status status = reader.Read({run.extent.get(), base + next, base + end},
                                              out + (next - range.first) * entry_bytes);
      if (!status.ok()) return status;
      next = end;
    }
    begin = run.end;
  }
  if (next >= range.end) return absl::OkStatus();
  return Error(absl::StatusCode::kInternal, "STORE_GAP", "the runs do not reach to the entries");
}

}  // namespace winnow
