#ifndef WINNOW_STORAGE_ROCKSDB_ENTRY_STORE_IMPL_H_
#define WINNOW_STORAGE_ROCKSDB_ENTRY_STORE_IMPL_H_

#include <memory>
#include <string>
#include <utility>

#include "storage/entry_store.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/live_filter.h"
#include "storage/rocksdb/reclaimer.h"
#include "storage/rocksdb/recovery.h"
#include "storage/rocksdb/row_fetcher.h"
#include "storage/rocksdb/run_reader.h"
#include "storage/rocksdb/segment_book.h"
#include "storage/rocksdb/store_writer.h"

namespace winnow {

// The parts of an EntryStore. They end in the opposite order: first whoever reads or reclaims, then
// the writer, which brings what is in memory to the disk.
struct EntryStore::Impl {
  Impl(const EntryStoreOptions& options, std::unique_ptr<Database> opened,
       std::shared_ptr<SegmentBook> segments, const Resumed& resumed)
      : directory(options.directory),
        database(std::move(opened)),
        book(std::move(segments)),
        writer(database.get(), book.get(), resumed, options.segment_bytes, options.flush_patience),
        fetcher(database.get(), options.row_cache_bytes, options.reader_threads),
        reclaimer(database.get(), book) {}

  const std::string directory;
  const std::unique_ptr<Database> database;
  const std::shared_ptr<SegmentBook> book;
  StoreWriter writer;
  RowFetcher fetcher;
  Reclaimer reclaimer;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_ENTRY_STORE_IMPL_H_
