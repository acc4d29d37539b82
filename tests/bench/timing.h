#ifndef WINNOW_TESTS_BENCH_TIMING_H_
#define WINNOW_TESTS_BENCH_TIMING_H_

#include <benchmark/benchmark.h>

#include <functional>
#include <vector>

namespace winnow::bench {

// Runs `body` as the benchmark's iterations and returns the median of their seconds, which one
// disturbed iteration does not move.
double MedianSeconds(benchmark::State& state, const std::function<void()>& body);

double Median(std::vector<double> values);

// Seconds that `body` takes; median of `passes` runs after one that is not counted.
double MedianOf(int passes, const std::function<void()>& body);

// The counters every benchmark has: `median_us`, `floor_us`, and their quotient `floor_ratio`. The
// floor is what the named resource alone would need for the same work, measured in this run.
void ReportFloor(benchmark::State& state, double median_seconds, double floor_seconds);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIMING_H_
