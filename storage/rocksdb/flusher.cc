#include "storage/rocksdb/flusher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/error.h"
#include "storage/rocksdb/log_chain.h"
#include "storage/rocksdb/status.h"

namespace winnow {
namespace {

using Properties = rocksdb::DB::Properties;

constexpr absl::Duration kPoll = absl::Microseconds(100);
// A flush begins at once; this is for one that ended before it was seen.
constexpr absl::Duration kStartTimeout = absl::Seconds(1);

}  // namespace

Flusher::Flusher(rocksdb::DB* db, std::vector<rocksdb::ColumnFamilyHandle*> small,
                 rocksdb::ColumnFamilyHandle* entries, DiskErrors* errors, const Watermarks* marks,
                 absl::Mutex* log_gate)
    : db_(db),
      small_(std::move(small)),
      entries_(entries),
      errors_(errors),
      marks_(marks),
      log_gate_(log_gate),
      thread_([this] { Work(); }) {}

Flusher::~Flusher() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  thread_.join();
}

absl::Status Flusher::FlushSegment() {
  absl::MutexLock lock(&mu_);
  if (absl::Status status = Await(entries_); !status.ok()) return status;
  segment_started_ = true;
  return Start(entries_);
}

// The lock is held while segments are written, and cannot be waited for with a limit.
absl::Status Flusher::AwaitIdle(absl::Duration patience) {
  // Waiting may be over before it begins.
  patience = std::max(patience, absl::ZeroDuration());
  for (const absl::Time start = absl::Now(); !errors_->stopped(); absl::SleepFor(kPoll)) {
    if (mu_.TryLock()) {
      const bool idle = Property(entries_, Properties::kNumImmutableMemTable) == 0;
      mu_.Unlock();
      if (idle) return absl::OkStatus();
    }
    if (absl::Now() - start < patience) continue;
    return Error(
        absl::StatusCode::kResourceExhausted, "DISK_BEHIND",
        absl::StrCat("the segment before has not been written in ", absl::FormatDuration(patience),
                     "; append slower, or give the shard a higher --spill-rate"));
  }
  return absl::OkStatus();
}

absl::Status Flusher::FlushAll() {
  absl::MutexLock lock(&mu_);
  // Those that are under way, or failed and pause.
  while (Property(entries_, Properties::kNumRunningFlushes) > 0) absl::SleepFor(kPoll);
  if (absl::Status status = Start(entries_); !status.ok()) return status;
  if (absl::Status status = Await(entries_); !status.ok()) return status;
  return FlushSmall();
}

absl::Status Flusher::FlushSmall() {
  for (rocksdb::ColumnFamilyHandle* family : small_) {
    if (absl::Status status = Start(family); !status.ok()) return status;
    if (absl::Status status = Await(family); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Nothing is written to the log, and so nothing can fail there, until the flush has begun.
absl::Status Flusher::Start(rocksdb::ColumnFamilyHandle* family) {
  absl::WriterMutexLock gate(log_gate_);
  if (Property(family, Properties::kNumEntriesActiveMemTable) == 0 &&
      Property(family, Properties::kNumImmutableMemTable) == 0) {
    return absl::OkStatus();
  }
  if (errors_->stopped()) return errors_->status();
  // Or the flush would do it in the background: Debian's RocksDB aborts where a log is used after
  // it failed to sync there, but not after it failed here.
  if (absl::Status status = SyncLog(); !status.ok()) return status;
  const auto begun = [this, family] {
    return Property(family, Properties::kNumRunningFlushes) + errors_->ended_flushes();
  };
  const uint64_t before = begun();
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;
  const rocksdb::Status status = db_->Flush(options, family);
  if (!status.ok()) return FromRocksdb(status, "writing a segment");
  for (absl::Duration waited; begun() <= before && waited < kStartTimeout; waited += kPoll) {
    if (Property(family, Properties::kNumImmutableMemTable) == 0) break;
    absl::SleepFor(kPoll);
  }
  return StartLog();
}

absl::Status Flusher::StartLog() {
  rocksdb::WriteBatch batch;
  // So that the first memtable is never empty, without which RocksDB would not begin a new log when
  // it resumes after a failed write to the log.
  PutLogStart(marks_->acknowledged->sequence(), &batch);
  return FromRocksdb(db_->Write(rocksdb::WriteOptions(), &batch), "writing");
}

absl::Status Flusher::SyncLog() {
  const uint64_t acknowledged = marks_->acknowledged->sequence();
  const absl::Status status = FromRocksdb(db_->SyncWAL(), "syncing the log");
  if (!status.ok()) {
    errors_->Stop(status);
    return status;
  }
  marks_->synced->Raise(acknowledged);
  return absl::OkStatus();
}

absl::Status Flusher::Await(rocksdb::ColumnFamilyHandle* family) {
  while (Property(family, Properties::kNumImmutableMemTable) > 0) {
    if (errors_->stopped()) return errors_->status();
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

uint64_t Flusher::Property(rocksdb::ColumnFamilyHandle* family, const std::string& name) const {
  uint64_t value = 0;
  db_->GetIntProperty(family, name, &value);
  return value;
}

void Flusher::Work() {
  absl::MutexLock lock(&mu_);
  while (true) {
    mu_.Await(absl::Condition(this, &Flusher::HasWork));
    if (ending_) return;
    segment_started_ = false;
    // What is refused is tried again when there is something to write.
    if (Await(entries_).ok()) FlushSmall().IgnoreError();
  }
}

}  // namespace winnow
