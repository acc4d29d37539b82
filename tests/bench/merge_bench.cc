#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/bench/benches.h"
#include "tests/bench/memory.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

using kernels::Candidate;

constexpr size_t kTopK = 2048;
constexpr int kHeads = 128;
constexpr int kLatentDim = 512;

// Floor: reading each candidate that may be looked at, and writing the k that win.
void MergeCandidates(benchmark::State& state, int lists) {
  std::mt19937 random(1);
  std::vector<std::vector<Candidate>> held(lists);
  for (size_t i = 0; i < lists * kTopK; ++i) {
    held[i % lists].push_back({static_cast<float>(random() % 1000000), static_cast<uint32_t>(i)});
  }
  std::vector<std::span<const Candidate>> views;
  for (auto& list : held) {
    std::sort(list.begin(), list.end(), kernels::Better);
    views.emplace_back(list);
  }
  std::vector<Candidate> merged;
  const double seconds =
      MedianSeconds(state, [&] { kernels::MergeCandidates(views, kTopK, &merged); });
  // The k that win come from all lists together, and one more of each is looked at.
  std::vector<Candidate> source(kTopK + lists), copy(source.size());
  const double floor = MedianOf(1001, [&] {
    std::memcpy(copy.data(), source.data(), copy.size() * sizeof(Candidate));
    benchmark::DoNotOptimize(copy.data());
  });
  ReportFloor(state, seconds, floor);
}

// Floor: reading the parts and writing the output, as one copy of the parts.
void MergeAttention(benchmark::State& state, int parts) {
  constexpr size_t kValues = size_t{kHeads} * kLatentDim;
  const RandomMemory outputs(parts * kValues * sizeof(float));
  const auto* values = reinterpret_cast<const float*>(outputs.bytes().data());
  const std::vector<float> lse(kHeads, 1.0f);
  std::vector<const float*> part_outputs, part_lse;
  for (int part = 0; part < parts; ++part) {
    part_outputs.push_back(values + part * kValues);
    part_lse.push_back(lse.data());
  }
  std::vector<float> merged(kValues), merged_lse(kHeads);
  const double seconds = MedianSeconds(state, [&] {
    kernels::MergeAttention(part_outputs, part_lse, kHeads, kLatentDim, merged.data(),
                            merged_lse.data());
  });
  const double floor = MedianOf(101, [&] {
    for (const float* part : part_outputs) {
      std::memcpy(merged.data(), part, kValues * sizeof(float));
      benchmark::DoNotOptimize(merged.data());
    }
  });
  ReportFloor(state, seconds, floor);
}

}  // namespace

void RegisterMergeBenches(const Setup&) {
  for (const int lists : {4, 64}) {
    benchmark::RegisterBenchmark(
        ("MergeCandidates/" + std::to_string(lists)).c_str(),
        [lists](benchmark::State& state) { MergeCandidates(state, lists); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RegisterBenchmark("MergeAttention/4",
                               [](benchmark::State& state) { MergeAttention(state, 4); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace winnow::bench
