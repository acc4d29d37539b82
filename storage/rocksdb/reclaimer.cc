#include "storage/rocksdb/reclaimer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/time/clock.h"
#include "rocksdb/convenience.h"
#include "storage/failpoint.h"
#include "storage/rocksdb/catalog.h"
#include "storage/rocksdb/keys.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

constexpr uint64_t kNeverRewritten = std::numeric_limits<uint64_t>::max();
// Extents are let go many at a time; a pass waits for the rest of them.
constexpr absl::Duration kGather = absl::Milliseconds(200);
// Files may have been busy, or on their way to the disk.
constexpr absl::Duration kRetry = absl::Seconds(10);

}  // namespace

ReclaimAction ChooseReclaimAction(uint64_t file_bytes, uint64_t live_bytes,
                                  uint64_t rewritten_live) {
  if (live_bytes == 0) return ReclaimAction::kDelete;
  if (live_bytes >= rewritten_live) return ReclaimAction::kKeep;
  return live_bytes < file_bytes / 2 ? ReclaimAction::kRewrite : ReclaimAction::kKeep;
}

Reclaimer::Reclaimer(Database* database, std::shared_ptr<SegmentBook> book)
    : database_(database), book_(std::move(book)), thread_([this] { Work(); }) {}

Reclaimer::~Reclaimer() {
  book_->Close();
  database_->db()->DisableManualCompaction();
  thread_.join();
}

void Reclaimer::Work() {
  while (!book_->closed()) {
    book_->AwaitRelease(kRetry);
    if (book_->AwaitClosed(kGather)) return;
    // What failed is tried again in the next pass.
    Run().IgnoreError();
  }
}

std::vector<Reclaimer::File> Reclaimer::Files() const {
  std::vector<File> files;
  rocksdb::ColumnFamilyMetaData all;
  database_->db()->GetColumnFamilyMetaData(database_->entries(), &all);
  for (const rocksdb::LevelMetaData& level : all.levels) {
    for (const rocksdb::SstFileMetaData& data : level.files) {
      EntryKey first;
      EntryKey last;
      if (data.being_compacted || !DecodeEntryKey(data.smallestkey, &first) ||
          !DecodeEntryKey(data.largestkey, &last)) {
        continue;
      }
      files.push_back({data, level.level, first.segment, last.segment,
                       book_->LiveBytes(first.segment, last.segment)});
    }
  }
  std::stable_sort(files.begin(), files.end(),
                   [](const File& a, const File& b) { return a.live_bytes < b.live_bytes; });
  return files;
}

absl::Status Reclaimer::Run() {
  absl::MutexLock lock(&run_mu_);
  absl::Status first_failure;
  for (const File& file : Files()) {
    if (book_->closed()) break;
    first_failure.Update(Reclaim(file));
  }
  return first_failure;
}

absl::Status Reclaimer::Reclaim(const File& file) {
  const std::pair segments(file.first_segment, file.last_segment);
  const uint64_t live = book_->LiveBytes(segments.first, segments.second);
  const auto rewritten = rewritten_.find(segments);
  switch (ChooseReclaimAction(
      file.data.size, live,
      rewritten == rewritten_.end() ? kNeverRewritten : rewritten->second.live_bytes)) {
    case ReclaimAction::kKeep:
      return rewritten == rewritten_.end() ? absl::OkStatus() : rewritten->second.damage;
    case ReclaimAction::kDelete:
      rewritten_.erase(segments);
      return Delete(file);
    case ReclaimAction::kRewrite:
      break;
  }
  // Or it would take the last of the disk, fail, and do so again in the next pass.
  if (absl::Status status = database_->CheckRoom(live); !status.ok()) return status;
  absl::Status status = Rewrite(file);
  // What is damaged is as large as before, and stays so until less of it is alive.
  if (status.ok() || absl::IsDataLoss(status)) rewritten_[segments] = {live, status};
  return status;
}

absl::Status Reclaimer::Delete(const File& file) {
  // RocksDB deletes no files of the first level, they are compacted to nothing.
  if (file.level == 0) {
    if (absl::Status status = Rewrite(file); !status.ok()) return status;
  } else {
    Failpoint("reclaim.delete");
    const rocksdb::Slice first(file.data.smallestkey);
    const rocksdb::Slice last(file.data.largestkey);
    const rocksdb::RangePtr range(&first, &last);
    const rocksdb::Status status = rocksdb::DeleteFilesInRanges(
        database_->db(), database_->entries(), &range, 1, /*include_end=*/true);
    if (!status.ok()) return FromRocksdb(status, "deleting a segment");
  }
  rocksdb::WriteBatch batch;
  for (uint32_t segment = file.first_segment; segment <= file.last_segment; ++segment) {
    DeleteExtents(*database_, segment, &batch);
  }
  return database_->Write(&batch, WriteMode::kLogged);
}

absl::Status Reclaimer::Rewrite(const File& file) {
  Failpoint("reclaim.compact");
  rocksdb::CompactionOptions options;
  options.compression = rocksdb::kNoCompression;
  const rocksdb::Status status = database_->db()->CompactFiles(
      options, database_->entries(), {file.data.relative_filename}, std::max(file.level, 1));
  // Another compaction moved it first, or the store is closing.
  const bool later = status.IsAborted() || status.IsInvalidArgument() || status.IsIncomplete() ||
                     status.IsShutdownInProgress();
  return later ? absl::OkStatus() : FromRocksdb(status, "rewriting a segment");
}

}  // namespace winnow
