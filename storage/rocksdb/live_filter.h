#ifndef WINNOW_STORAGE_ROCKSDB_LIVE_FILTER_H_
#define WINNOW_STORAGE_ROCKSDB_LIVE_FILTER_H_

#include <atomic>
#include <memory>

#include "rocksdb/compaction_filter.h"
#include "storage/rocksdb/segment_book.h"

namespace winnow {

// Leaves out entries of extents that nobody refers to, wherever RocksDB writes a file. Leaves out
// nothing before it is armed, for while a store is opened its extents are not known yet.
class LiveFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  explicit LiveFilterFactory(std::shared_ptr<const SegmentBook> book);

  void Arm() { armed_.store(true); }

  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override;
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;
  const char* Name() const override { return "winnow.LiveFilterFactory"; }

 private:
  const std::shared_ptr<const SegmentBook> book_;
  std::atomic<bool> armed_ = false;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_LIVE_FILTER_H_
