#ifndef WINNOW_TESTS_BENCH_BENCHES_H_
#define WINNOW_TESTS_BENCH_BENCHES_H_

#include "kernels/backend.h"
#include "kernels/worker_pool.h"

namespace winnow::bench {

// What every benchmark runs with; outlives them.
struct Setup {
  const kernels::Backend& backend;
  kernels::WorkerPool& pool;
};

// Each registers its benchmarks by name. All have the counters of ReportFloor(); those bound by
// arithmetic have `machine_ratio` too, over the larger of the time that the bytes and the time that
// the multiply-adds need on this machine's fastest unit, which is the benchmark's label.
void RegisterScoreBenches(const Setup& setup);
void RegisterAttentionBenches(const Setup& setup);
void RegisterMergeBenches(const Setup& setup);
void RegisterAppendBenches(const Setup& setup);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_BENCHES_H_
