#include "storage/rocksdb/log_chain.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/numbers.h"
#include "storage/rocksdb/keys.h"

namespace winnow {
namespace {

constexpr char kKey[] = "log_start";
constexpr size_t kLargestBatch = 64;  // one that holds nothing else is smaller

// Finds the value of the key, if it is in the batch.
class Finder : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    if (family == 0 && key == kKey && value.size() == 8) found_ = ReadNumber(value.data(), 8);
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  std::optional<uint64_t> found() const { return found_; }

 private:
  std::optional<uint64_t> found_;
};

uint64_t FirstSequence(const rocksdb::WriteBatch& batch) {
  uint64_t first = 0;
  std::memcpy(&first, batch.Data().data(), sizeof first);
  return first;
}

}  // namespace

std::optional<uint64_t> LogNumber(const std::filesystem::path& file) {
  uint64_t number = 0;
  if (file.extension() != ".log" || !absl::SimpleAtoi(file.stem().string(), &number)) {
    return std::nullopt;
  }
  return number;
}

void PutLogStart(uint64_t last_sequence, rocksdb::WriteBatch* batch) {
  std::string value;
  AppendNumber(last_sequence, 8, &value);
  batch->Put(kKey, value);
}

void LogChain::ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& first_logs,
                                        const std::map<std::string, uint32_t>&) {
  uint64_t first = std::numeric_limits<uint64_t>::max();
  for (const auto& [family, log] : first_logs) first = std::min(first, log);
  whole_ = are_whole_(first);
}

rocksdb::WalFilter::WalProcessingOption LogChain::LogRecordFound(unsigned long long,
                                                                 const std::string&,
                                                                 const rocksdb::WriteBatch& batch,
                                                                 rocksdb::WriteBatch*, bool*) {
  // Before anything is replayed, for RocksDB would bring that to files and forget the logs.
  if (!whole_) return WalProcessingOption::kCorruptedRecord;
  if (last_sequence_ != 0 && batch.GetDataSize() <= kLargestBatch) {
    Finder finder;
    batch.Iterate(&finder).PermitUncheckedError();
    if (finder.found().value_or(0) > last_sequence_) {
      return cut_is_damage_ ? WalProcessingOption::kCorruptedRecord
                            : WalProcessingOption::kStopReplay;
    }
  }
  last_sequence_ = FirstSequence(batch) + batch.Count() - 1;
  return WalProcessingOption::kContinueProcessing;
}

}  // namespace winnow
