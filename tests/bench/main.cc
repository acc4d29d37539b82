// bench_kernels: each kernel beside the floor that the machine sets it.
#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "tests/bench/benches.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  CLI::App app{"Kernels against the floors of this machine; --benchmark_filter=REGEX chooses"};
  std::string variant;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  app.add_option("--kernels", variant, "variant; the fastest if not given");
  app.add_option("--threads", threads)->check(CLI::Range(1, 1024))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const winnow::kernels::Backend* backend = winnow::kernels::ChooseBackend(variant);
  if (backend == nullptr) {
    std::fprintf(stderr, "bench_kernels: there are no kernels called '%s' here\n", variant.c_str());
    return 2;
  }
  winnow::kernels::WorkerPool pool(threads);
  const winnow::bench::Setup setup{*backend, pool};
  winnow::bench::RegisterScoreBenches(setup);
  winnow::bench::RegisterAttentionBenches(setup);
  winnow::bench::RegisterMergeBenches(setup);
  winnow::bench::RegisterAppendBenches(setup);
  benchmark::AddCustomContext("kernels", std::string(backend->name()));
  benchmark::AddCustomContext("threads", std::to_string(threads));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
