// bench_storage: a shard's store beside the floors that the disk and RocksDB set it.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tests/bench/storage/benches.h"
#include "tests/support/temp_dir.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  CLI::App app{"The store against the floors of this disk; --benchmark_filter=REGEX chooses"};
  std::string parent;
  uint64_t read_bytes = uint64_t{2} << 30;
  uint64_t append_bytes = uint64_t{1} << 30;
  app.add_option("--directory", parent, "where the data goes; it is removed at the end");
  app.add_option("--read-bytes", read_bytes, "of entries to read from; twice as much disk is used")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false));
  app.add_option("--append-bytes", append_bytes, "of entries, in one measurement")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false));
  app.option_defaults()->always_capture_default();
  CLI11_PARSE(app, argc, argv);

  // Below TMPDIR, which names the directory for temporary files.
  if (!parent.empty()) setenv("TMPDIR", parent.c_str(), /*overwrite=*/1);
  const winnow::testing::TempDir directory;
  winnow::bench::FilledStore store(directory.path() + "/read", read_bytes);
  const winnow::bench::DirectFile file(directory.path() + "/floor", store.bytes());
  const winnow::bench::ReadSetup read{store, file};
  const winnow::bench::WriteSetup write{directory.path(), append_bytes};
  winnow::bench::RegisterRowBenches(read);
  winnow::bench::RegisterStripeBenches(read);
  winnow::bench::RegisterWriteBenches(write);
  winnow::bench::RegisterRecoveryBenches(write);
  benchmark::AddCustomContext("directory", directory.path());
  benchmark::AddCustomContext("read_bytes", std::to_string(store.bytes()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
