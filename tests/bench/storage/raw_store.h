#ifndef WINNOW_TESTS_BENCH_STORAGE_RAW_STORE_H_
#define WINNOW_TESTS_BENCH_STORAGE_RAW_STORE_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace winnow::bench {

// How a plain RocksDB is written to.
struct RawWrites {
  uint64_t bytes = 0;  // of values, in all
  size_t value_bytes = 0;
  size_t batch_bytes = 0;  // written at once, and acknowledged
  bool synced = false;
};

// Seconds that a RocksDB takes for values under ascending keys, from the first to all being in
// sorted files: with a log and without compression, as an EntryStore has it. In a directory that
// is made and removed.
double WriteRaw(const std::string& directory, const RawWrites& writes);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_STORAGE_RAW_STORE_H_
