#ifndef WINNOW_STORAGE_ROCKSDB_LOG_CHAIN_H_
#define WINNOW_STORAGE_ROCKSDB_LOG_CHAIN_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "rocksdb/wal_filter.h"
#include "rocksdb/write_batch.h"

namespace winnow {

// The number of a file if it is a log by its name.
std::optional<uint64_t> LogNumber(const std::filesystem::path& file);

// The first write into a log says where the log before it ended, for RocksDB itself takes a log
// that was cut short for one whose last write was not finished. Key "log_start" of the column
// family `default`: u64 sequence number of the last write before, big-endian.
void PutLogStart(uint64_t last_sequence, rocksdb::WriteBatch* batch);

// Checks the chain while RocksDB replays its logs. Used by one thread.
class LogChain : public rocksdb::WalFilter {
 public:
  // Whether the logs from that number on, which are needed, are all there.
  using AreWholeFn = std::function<bool(uint64_t first_log)>;

  // Where a log is cut short: is it damaged, or does the store rightly end there?
  LogChain(bool cut_is_damage, AreWholeFn are_whole)
      : cut_is_damage_(cut_is_damage), are_whole_(std::move(are_whole)) {}

  void ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& first_logs,
                                const std::map<std::string, uint32_t>&) override;
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_name,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;
  const char* Name() const override { return "winnow.LogChain"; }

  // Of the last write that was replayed; 0 if none was.
  uint64_t last_sequence() const { return last_sequence_; }

 private:
  const bool cut_is_damage_;
  const AreWholeFn are_whole_;
  bool whole_ = true;
  uint64_t last_sequence_ = 0;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_LOG_CHAIN_H_
