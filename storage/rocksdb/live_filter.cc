#include "storage/rocksdb/live_filter.h"

#include <string>
#include <utility>

#include "storage/rocksdb/keys.h"

namespace winnow {
namespace {

// Used by one thread. Keys come in order, so one question for each extent is enough.
class LiveFilter : public rocksdb::CompactionFilter {
 public:
  explicit LiveFilter(std::shared_ptr<const SegmentBook> book) : book_(std::move(book)) {}

  bool Filter(int, const rocksdb::Slice& bytes, const rocksdb::Slice&, std::string*,
              bool*) const override {
    EntryKey key;
    if (!DecodeEntryKey(bytes, &key)) return false;
    if (key.number != number_ || key.segment != segment_) {
      number_ = key.number;
      segment_ = key.segment;
      alive_ = book_->IsAlive(number_, segment_);
    }
    return !alive_;
  }

  const char* Name() const override { return "winnow.LiveFilter"; }

 private:
  const std::shared_ptr<const SegmentBook> book_;
  // Of the last key. No segment has number 0.
  mutable uint64_t number_ = 0;
  mutable uint32_t segment_ = 0;
  mutable bool alive_ = true;
};

}  // namespace

LiveFilterFactory::LiveFilterFactory(std::shared_ptr<const SegmentBook> book)
    : book_(std::move(book)) {}

bool LiveFilterFactory::ShouldFilterTableFileCreation(
    rocksdb::TableFileCreationReason reason) const {
  return reason == rocksdb::TableFileCreationReason::kFlush ||
         reason == rocksdb::TableFileCreationReason::kCompaction;
}

std::unique_ptr<rocksdb::CompactionFilter> LiveFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context&) {
  if (!armed_.load()) return nullptr;
  return std::make_unique<LiveFilter>(book_);
}

}  // namespace winnow
