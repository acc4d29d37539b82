#include "storage/rocksdb/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "rocksdb/cache.h"
#include "rocksdb/env.h"
#include "rocksdb/statistics.h"
#include "rocksdb/write_batch.h"
#include "storage/directories.h"
#include "storage/error.h"
#include "storage/rocksdb/catalog.h"
#include "storage/rocksdb/checked_file_system.h"
#include "storage/rocksdb/keys.h"
#include "storage/rocksdb/options.h"
#include "storage/rocksdb/status.h"
#include "storage/rocksdb/synced_log.h"

namespace winnow {
namespace {

constexpr absl::Duration kResumeInterval = absl::Seconds(1);
constexpr char kProbeName[] = "disk-probe";
constexpr size_t kProbeBytes = 4096;
// RocksDB recovers badly from a full disk, so that the last of it is left to its own files.
constexpr uint64_t kReserveBytes = uint64_t{32} << 20;

absl::Status InUse(const std::string& directory) {
  return Error(absl::StatusCode::kFailedPrecondition, "DATA_DIR_IN_USE",
               absl::StrCat("data directory ", directory, " is in use by another process"),
               {{"directory", directory}});
}

std::string SystemBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

bool HasDatabase(const std::string& directory) {
  std::error_code ignored;
  return std::filesystem::exists(directory + "/CURRENT", ignored);
}

// What was acknowledged and synced in the directory; of a new one, nothing.
absl::StatusOr<FoundMarks> FindMarks(const std::string& directory, const std::string& boot_id) {
  const auto read = Watermark::Read(directory, kAcknowledged);
  if (!read.ok()) return read.status();
  const auto synced = Watermark::Read(directory, kSynced);
  if (!synced.ok()) return synced.status();
  const FoundMarks found = {read->value_or(Mark{boot_id, 0}), synced->value_or(Mark{}).sequence};
  const bool exists = HasDatabase(directory);
  if (exists && !read->has_value()) return CorruptStore(kAcknowledged, "ACKNOWLEDGED is missing");
  if (!exists && std::max(found.acknowledged.sequence, found.synced) > 0) {
    return CorruptStore("CURRENT", "CURRENT is missing");
  }
  if (!exists) {
    // Before there is a database, so that one without the file is known to have lost it.
    auto created = Watermark::Create(directory, kAcknowledged, found.acknowledged);
    if (!created.ok()) return created.status();
  }
  return found;
}

// The sequence number of the last entry of a batch that was written: its first 8 bytes are the
// sequence number of the first, little-endian.
uint64_t LastSequence(const rocksdb::WriteBatch& batch) {
  uint64_t first = 0;
  std::memcpy(&first, batch.Data().data(), sizeof first);
  return first + batch.Count() - 1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return FromErrno(errno, absl::StrCat("cannot open data directory ", directory));
  }
  auto lock = std::unique_ptr<DirectoryLock>(new DirectoryLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return InUse(directory);
  return lock;
}

DirectoryLock::~DirectoryLock() { close(fd_); }

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const EntryStoreOptions& options, std::shared_ptr<rocksdb::CompactionFilterFactory> filter) {
  const std::string& directory = options.directory;
  if (const std::error_code error = MakeDirectories(directory); error) {
    return FromErrno(error.value(), absl::StrCat("cannot make data directory ", directory));
  }
  auto database = std::unique_ptr<Database>(new Database());
  database->directory_ = directory;
  auto lock = DirectoryLock::Take(directory);
  if (!lock.ok()) return lock.status();
  database->lock_ = *std::move(lock);

  const std::string boot_id = options.boot_id.empty() ? SystemBootId() : options.boot_id;
  const auto found = FindMarks(directory, boot_id);
  if (!found.ok()) return found.status();

  database->block_cache_ = rocksdb::NewLRUCache(options.block_cache_bytes);
  database->statistics_ = rocksdb::CreateDBStatistics();
  rocksdb::Options rocksdb_options = DatabaseOptions(options, database->block_cache_);
  rocksdb_options.compaction_filter_factory = std::move(filter);
  // After a restart of the system, what was logged and not synced may rightly be lost.
  const bool same_boot = found->acknowledged.boot_id == boot_id;
  rocksdb_options.wal_recovery_mode = same_boot
                                          ? rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords
                                          : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  database->seal_ = std::make_shared<ManifestSeal>(directory);
  absl::Status logs;
  database->log_chain_ =
      std::make_unique<LogChain>(/*cut_is_damage=*/same_boot, [&](uint64_t first_log) {
        logs = database->seal_->CheckLogs(first_log);
        return logs.ok();
      });
  rocksdb_options.wal_filter = database->log_chain_.get();
  if (same_boot && found->acknowledged.sequence != 0) {
    if (absl::Status status = database->seal_->Check(); !status.ok()) return status;
  }
  const absl::Status opened =
      database->OpenRocksdb(options, rocksdb_options, same_boot ? 0 : found->synced);
  if (!logs.ok()) return logs;
  if (!opened.ok()) return opened;
  // Before anything is acknowledged, from when on a seal must be there.
  if (absl::Status status = database->seal_->Update(database->db()); !status.ok()) return status;
  if (absl::Status status = database->Begin(*found, boot_id); !status.ok()) return status;
  return database;
}

absl::Status Database::Begin(const FoundMarks& found, const std::string& boot_id) {
  const Mark& acknowledged = found.acknowledged;
  const uint64_t recovered = db_->GetLatestSequenceNumber();
  if (acknowledged.boot_id == boot_id && recovered < acknowledged.sequence) {
    return CorruptStore("", absl::StrCat("acknowledged entries are missing: the log ends at write ",
                                         recovered, ", acknowledged were ", acknowledged.sequence));
  }
  const absl::StatusOr<bool> is_empty = IsEmpty(*this);
  if (!is_empty.ok()) return is_empty.status();
  // The watermark alone does not tell: a loss of power may have taken it back to nothing.
  is_new_ = acknowledged.sequence == 0 && *is_empty;
  // An earlier start that was interrupted here began a log and acknowledged nothing.
  auto marks = Watermarks::Create(directory_, boot_id, is_new_ ? 0 : recovered, found.synced);
  if (!marks.ok()) return marks.status();
  marks_ = *std::move(marks);
  flusher_ = std::make_unique<Flusher>(db(), std::vector{meta(), contexts(), runs()}, entries(),
                                       errors_.get(), &marks_, &log_gate_);
  return flusher_->StartLog();
}

absl::Status Database::OpenRocksdb(const EntryStoreOptions& options,
                                   rocksdb::Options rocksdb_options, uint64_t synced) {
  statistics_->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
  rocksdb_options.statistics = statistics_;
  env_ = rocksdb::NewCompositeEnv(std::make_shared<CheckedFileSystem>(
      rocksdb_options.env->GetFileSystem(),
      [seal = seal_](uint64_t log) { return seal->ForgetLog(log); }));
  rocksdb_options.env = env_.get();
  absl::Status reached = CheckSyncedLog(options.directory, rocksdb_options, synced);
  if (!reached.ok()) return reached;
  rocksdb_options.listeners.push_back(errors_);
  rocksdb_options.listeners.push_back(seal_);
  auto filter = std::exchange(rocksdb_options.compaction_filter_factory, nullptr);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* const name : kFamilies) families.emplace_back(name, rocksdb_options);
  families.back().options = EntriesOptions(rocksdb_options, options, std::move(filter));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(rocksdb_options, options.directory, families, &families_, &db);
  db_.reset(db);
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (absl::StrContains(text, "lock ") && absl::StrContains(text, "LOCK")) {
    return InUse(options.directory);
  }
  return FromOpening(status, options.directory);
}

Database::~Database() {
  flusher_.reset();
  if (db_ != nullptr) seal_->Update(db()).IgnoreError();
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    if (db_ != nullptr) db_->DestroyColumnFamilyHandle(family);
  }
}

absl::Status Database::Write(rocksdb::WriteBatch* batch, WriteMode mode) {
  if (absl::Status status = Resume(); !status.ok()) return status;
  rocksdb::WriteOptions options;
  options.disableWAL = mode == WriteMode::kUnlogged;
  options.sync = mode == WriteMode::kSynced;
  absl::ReaderMutexLock lock(&log_gate_);
  const absl::Status status = FromRocksdb(db_->Write(options, batch), "writing");
  if (!status.ok()) {
    errors_->Stop(status);
    return status;
  }
  if (mode != WriteMode::kUnlogged) marks_.acknowledged->Raise(LastSequence(*batch));
  if (mode == WriteMode::kSynced) marks_.synced->Raise(LastSequence(*batch));
  return absl::OkStatus();
}

absl::Status Database::Resume() {
  if (!errors_->stopped()) return absl::OkStatus();
  absl::MutexLock lock(&resume_mu_);
  if (!errors_->stopped()) return absl::OkStatus();
  const absl::Time now = absl::Now();
  if (now < next_resume_) return errors_->status();
  next_resume_ = now + kResumeInterval;
  // RocksDB is not asked to resume in vain, for it may lose flushes by that.
  if (absl::Status status = ProbeDisk(); !status.ok()) return status;
  errors_->Clear();  // so that an error while it resumes is noticed
  absl::Status status = FromRocksdb(db_->Resume(), "resuming");
  if (status.ok()) {
    absl::WriterMutexLock gate(&log_gate_);
    status = flusher_->StartLog();
  }
  if (status.ok()) status = flusher_->FlushAll();
  if (!status.ok()) errors_->Stop(status);
  return status;
}

absl::Status Database::ProbeDisk() const {
  const std::string path = absl::StrCat(directory_, "/", kProbeName);
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Env* const env = db_->GetEnv();
  rocksdb::Status status = env->NewWritableFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Append(std::string(kProbeBytes, '.'));
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  env->DeleteFile(path).PermitUncheckedError();
  if (!status.ok()) return FromRocksdb(status, "probing the disk");
  return CheckRoom(0);
}

absl::Status Database::CheckRoom(uint64_t bytes) const {
  uint64_t free = 0;
  if (!db_->GetEnv()->GetFreeSpace(directory_, &free).ok()) return absl::OkStatus();
  uint64_t memory = 0;
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &memory);
  // The log and the file of what is added, and a file of what is there.
  const uint64_t needed = memory + 2 * bytes + kReserveBytes;
  if (free >= needed) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "DISK_FULL",
               absl::StrCat("the disk is full; free some of it and try again (", free,
                            " bytes are free, ", needed, " are needed)"),
               {{"needed_bytes", absl::StrCat(needed)}, {"free_bytes", absl::StrCat(free)}});
}

absl::Status Database::FlushSegment() {
  if (absl::Status status = Resume(); !status.ok()) return status;
  return flusher_->FlushSegment();
}

absl::Status Database::FlushAll() {
  if (absl::Status status = Resume(); !status.ok()) return status;
  return flusher_->FlushAll();
}

uint64_t Database::written_bytes() const {
  return statistics_->getTickerCount(rocksdb::WAL_FILE_BYTES) +
         statistics_->getTickerCount(rocksdb::FLUSH_WRITE_BYTES) +
         statistics_->getTickerCount(rocksdb::COMPACT_WRITE_BYTES);
}

uint64_t Database::memory_bytes() const {
  uint64_t memtables = 0;
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kSizeAllMemTables, &memtables);
  return memtables + block_cache_->GetUsage();
}

}  // namespace winnow
