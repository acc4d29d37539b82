#include "tests/bench/storage/raw_store.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "rocksdb/db.h"
#include "rocksdb/options.h"
#include "rocksdb/write_batch.h"
#include "storage/entry_store.h"

namespace winnow::bench {
namespace {

constexpr int kWriteBuffers = 3;

void Check(const rocksdb::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench_storage: RocksDB: %s\n", status.ToString().c_str());
  std::exit(1);
}

std::unique_ptr<rocksdb::DB> OpenRaw(const std::string& directory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = EntryStoreOptions().segment_bytes;
  options.max_write_buffer_number = kWriteBuffers;
  options.max_background_flushes = kWriteBuffers;
  options.use_direct_io_for_flush_and_compaction = true;
  rocksdb::DB* db = nullptr;
  Check(rocksdb::DB::Open(options, directory, &db));
  return std::unique_ptr<rocksdb::DB>(db);
}

// Sorts as the number does.
std::string KeyOf(uint64_t number) {
  char key[17];
  std::snprintf(key, sizeof key, "%016llx", static_cast<unsigned long long>(number));
  return key;
}

}  // namespace

double WriteRaw(const std::string& directory, const RawWrites& writes) {
  std::filesystem::remove_all(directory);
  const std::unique_ptr<rocksdb::DB> db = OpenRaw(directory);
  const std::string value(writes.value_bytes, '5');
  rocksdb::WriteOptions options;
  options.sync = writes.synced;
  rocksdb::WriteBatch batch;
  uint64_t number = 0;
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t written = 0; written < writes.bytes;) {
    batch.Clear();
    size_t batched = 0;
    for (; batched < writes.batch_bytes; batched += value.size()) {
      Check(batch.Put(KeyOf(number++), value));
    }
    Check(db->Write(options, &batch));
    written += batched;
  }
  Check(db->Flush(rocksdb::FlushOptions()));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Check(db->Close());
  std::filesystem::remove_all(directory);
  return seconds * static_cast<double>(writes.bytes) /
         (static_cast<double>(number) * static_cast<double>(value.size()));
}

}  // namespace winnow::bench
