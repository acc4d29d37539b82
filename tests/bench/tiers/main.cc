// bench_tiers: a shard that serves a context larger than its memory. Prints time and memory, and
// fails if an answer is not exact.
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>

#include "tests/bench/tiers/run.h"
#include "tests/support/temp_dir.h"

int main(int argc, char** argv) {
  // Each line as it comes, into a file too.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  winnow::bench::TierOptions options;
  CLI::App app{"A shard that serves a context larger than its memory: exactness, memory, time"};
  std::string parent;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  app.add_option("--entries", options.entries)->check(CLI::Range(1u, 1u << 28));
  app.add_option("--layers", options.layers)->check(CLI::Range(1, 256));
  app.add_option("--budget", options.budget_bytes, "of memory, as 3GiB; 0 for no limit")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false));
  app.add_option("--steps", options.steps, "of the queries that go step by step")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--check-every", options.check_every, "queries; checking takes a scan")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--changed-codes", options.changed_codes,
                 "of a query's 8192 from step to step; decides which share of winners repeats")
      ->check(CLI::Range(0, 8192));
  app.add_option("--directory", parent, "where the data goes; it is removed at the end");
  app.add_option("--threads", threads)->check(CLI::Range(1, 1024));
  app.option_defaults()->always_capture_default();
  CLI11_PARSE(app, argc, argv);

  // Below TMPDIR, which names the directory for temporary files.
  if (!parent.empty()) setenv("TMPDIR", parent.c_str(), /*overwrite=*/1);
  const winnow::testing::TempDir directory;
  options.directory = directory.path();
  const winnow::kernels::Backend* backend = winnow::kernels::ChooseBackend();
  winnow::kernels::WorkerPool pool(threads);
  std::printf("%u entries, %d layers, budget %.0f MB, %d threads, %s kernels, in %s\n",
              options.entries, options.layers, static_cast<double>(options.budget_bytes) / 1e6,
              threads, std::string(backend->name()).c_str(), options.directory.c_str());
  if (winnow::bench::RunTiers(options, *backend, pool)) return 0;
  std::fprintf(stderr, "bench_tiers: answers were not exact, or none was checked\n");
  return 1;
}
