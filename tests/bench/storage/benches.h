#ifndef WINNOW_TESTS_BENCH_STORAGE_BENCHES_H_
#define WINNOW_TESTS_BENCH_STORAGE_BENCHES_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "tests/bench/storage/direct_file.h"
#include "tests/bench/storage/filled_store.h"

namespace winnow::bench {

// What the benchmarks of reading share: a store, and a file that is as large.
struct ReadSetup {
  FilledStore& store;
  const DirectFile& file;
};

// What the benchmarks of writing share.
struct WriteSetup {
  std::string directory;
  uint64_t bytes;  // of entries that one measurement appends
};

void RegisterRowBenches(const ReadSetup& setup);
void RegisterStripeBenches(const ReadSetup& setup);
void RegisterWriteBenches(const WriteSetup& setup);
void RegisterRecoveryBenches(const WriteSetup& setup);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_STORAGE_BENCHES_H_
