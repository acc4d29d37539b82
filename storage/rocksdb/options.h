#ifndef WINNOW_STORAGE_ROCKSDB_OPTIONS_H_
#define WINNOW_STORAGE_ROCKSDB_OPTIONS_H_

#include <memory>

#include "rocksdb/cache.h"
#include "rocksdb/compaction_filter.h"
#include "rocksdb/options.h"
#include "storage/entry_store.h"

namespace winnow {

// Of the database and of the small column families.
rocksdb::Options DatabaseOptions(const EntryStoreOptions& options,
                                 const std::shared_ptr<rocksdb::Cache>& block_cache);
// Of the column family `entries`.
rocksdb::ColumnFamilyOptions EntriesOptions(
    const rocksdb::Options& database, const EntryStoreOptions& options,
    std::shared_ptr<rocksdb::CompactionFilterFactory> filter);

// Of every iterator. Does not fill the block cache.
rocksdb::ReadOptions ScanOptions();

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_OPTIONS_H_
