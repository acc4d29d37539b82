#include "storage/rocksdb/options.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rocksdb/rate_limiter.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"

namespace winnow {
namespace {

constexpr size_t kNoLimitBytes = size_t{8} << 30;
// A file of a segment may be larger than the segment by as much.
constexpr size_t kFileSlackBytes = size_t{16} << 20;
// A row is found in one block of about the disk's own size; blocks aligned to the disk's would read
// 10 % faster and take 25 % more space.
constexpr size_t kBlockBytes = 4096;
// A block ends early rather than exceed that, if so much of it is full: three rows of 1,152 bytes.
constexpr int kBlockFullPercent = 80;
// Read whole at every flush, to be sealed.
constexpr size_t kMaxManifestBytes = size_t{1} << 20;

// tmpfs and some network file systems refuse O_DIRECT.
bool SupportsDirectIo(const std::string& directory) {
  const std::string probe = absl::StrCat(directory, "/direct-io-probe");
  const int fd = open(probe.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
  if (fd >= 0) close(fd);
  unlink(probe.c_str());
  return fd >= 0;
}

// Half of what the process may have, the rest is for sockets.
int MaxOpenFiles() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  return static_cast<int>(std::clamp<rlim_t>(limit.rlim_cur / 2, 32, 1 << 16));
}

// RocksDB writes a diary into the data directory, and ends the process where the disk refuses that.
class NoDiary : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::BlockBasedTableOptions TableOptions(const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache;
  table.block_size = kBlockBytes;
  table.block_size_deviation = 100 - kBlockFullPercent;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.filter_policy = nullptr;
  // An index in two levels, so that what is missing in the cache costs one small read more.
  table.cache_index_and_filter_blocks = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.metadata_block_size = kBlockBytes;
  table.index_block_restart_interval = 16;
  table.metadata_cache_options.top_level_index_pinning = rocksdb::PinningTier::kAll;
  return table;
}

}  // namespace

rocksdb::Options DatabaseOptions(const EntryStoreOptions& options,
                                 const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::Options database;
  if (options.env != nullptr) database.env = options.env;
  database.create_if_missing = true;
  database.create_missing_column_families = true;
  database.compression = rocksdb::kNoCompression;
  // So large that RocksDB never ends a memtable on its own: StoreWriter does.
  database.write_buffer_size = kNoLimitBytes;
  database.max_write_buffer_number = 3;
  // Writes do not wait for compactions: a damaged file may keep others where they are for ever, and
  // RocksDB's threads pause after each time that they meet it.
  database.level0_slowdown_writes_trigger = std::numeric_limits<int>::max();
  database.level0_stop_writes_trigger = std::numeric_limits<int>::max();
  database.ttl = 0;
  database.periodic_compaction_seconds = 0;
  database.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(block_cache)));

  database.use_direct_reads = SupportsDirectIo(options.directory);
  database.use_direct_io_for_flush_and_compaction = database.use_direct_reads;
  database.paranoid_checks = true;
  database.max_open_files = MaxOpenFiles();
  database.skip_stats_update_on_db_open = true;
  // One that works and one that pauses after an error.
  database.max_background_flushes = 2;
  database.max_background_compactions = 2;
  // Segments are closed by their size; the log must never close one.
  database.max_total_wal_size = std::numeric_limits<uint64_t>::max();
  database.recycle_log_file_num = 0;
  // The system writes it out meanwhile, so that little is left to sync when a segment is closed.
  database.wal_bytes_per_sync = size_t{1} << 20;
  // Or each log would be given the disk space of a write buffer at once.
  database.allow_fallocate = false;
  database.WAL_ttl_seconds = 0;
  // Errors are resumed from by Database, when there is something to write.
  database.max_bgerror_resume_count = 0;
  database.info_log = std::make_shared<NoDiary>();
  database.max_manifest_file_size = kMaxManifestBytes;
  database.stats_dump_period_sec = 0;
  database.stats_persist_period_sec = 0;
  if (options.background_bytes_per_second > 0) {
    database.rate_limiter.reset(
        rocksdb::NewGenericRateLimiter(static_cast<int64_t>(options.background_bytes_per_second)));
  }
  return database;
}

rocksdb::ReadOptions ScanOptions() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  // No range is ever deleted. Where an iterator looks for deleted ranges, RocksDB before 8.5 ends
  // it quietly as it comes to a damaged file of a level.
  options.ignore_range_deletions = true;
  return options;
}

rocksdb::ColumnFamilyOptions EntriesOptions(
    const rocksdb::Options& database, const EntryStoreOptions& options,
    std::shared_ptr<rocksdb::CompactionFilterFactory> filter) {
  rocksdb::ColumnFamilyOptions entries(database);
  // One level below the newest files: with more, each seek would read ahead in a file of every
  // level. Segments do not overlap, so moving a file down writes nothing.
  entries.num_levels = 2;
  entries.level0_file_num_compaction_trigger = 1;
  // Entries of one append follow one another: segment, context, plane and layer are 12 bytes.
  entries.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(12));
  entries.target_file_size_base = 2 * options.segment_bytes + kFileSlackBytes;
  entries.max_bytes_for_level_base = 8 * options.segment_bytes;
  entries.max_compaction_bytes = 64 * options.segment_bytes;
  entries.compaction_filter_factory = std::move(filter);
  return entries;
}

}  // namespace winnow
