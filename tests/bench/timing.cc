#include "tests/bench/timing.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace winnow::bench {
namespace {

double Seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double MedianSeconds(benchmark::State& state, const std::function<void()>& body) {
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(Seconds(body));
    state.SetIterationTime(seconds.back());
  }
  return Median(std::move(seconds));
}

double MedianOf(int passes, const std::function<void()>& body) {
  body();
  std::vector<double> seconds;
  for (int i = 0; i < passes; ++i) seconds.push_back(Seconds(body));
  return Median(std::move(seconds));
}

void ReportFloor(benchmark::State& state, double median_seconds, double floor_seconds) {
  state.counters["median_us"] = median_seconds * 1e6;
  state.counters["floor_us"] = floor_seconds * 1e6;
  state.counters["floor_ratio"] = median_seconds / floor_seconds;
}

}  // namespace winnow::bench
