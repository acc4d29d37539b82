#include <algorithm>
#include <bit>
#include <filesystem>
#include <string>

#include "storage/page_set.h"
#include "tests/bench/storage/benches.h"
#include "tests/bench/timing.h"

namespace winnow::bench {
namespace {

// What is to be recovered.
struct Held {
  int contexts;
  uint32_t entries;  // of each, over all its stripes
};

void Fill(const std::string& directory, const Held& held) {
  Recovery recovery;
  const auto store = OpenStore({.directory = directory}, &recovery);
  const uint32_t step = std::min(held.entries, kStripeEntries);
  const StripeBytes entries(step);
  for (int i = 0; i < held.contexts; ++i) {
    ContextRecord record = BenchContext("bench/" + std::to_string(i), Durability::kLogged);
    Must(store->AddContext(&record));
    for (uint32_t at = 0; at < held.entries; at += step) {
      Must(store->Append(record, at / kStripeEntries, entries.Writes(at % kStripeEntries)));
    }
  }
}

// No floor: what counts is that the time goes with the contexts and not with their bytes.
void Recover(benchmark::State& state, const std::string& parent, const Held& held) {
  const std::string directory = parent + "/recovery";
  std::filesystem::remove_all(directory);
  Fill(directory, held);
  Recovery recovery;
  const double seconds =
      MedianSeconds(state, [&] { OpenStore({.directory = directory}, &recovery); });
  const double recovered = absl::ToDoubleSeconds(recovery.duration);
  if (recovery.contexts.size() != static_cast<size_t>(held.contexts)) {
    state.SkipWithError("contexts are missing");
  }
  recovery.contexts.clear();
  std::filesystem::remove_all(directory);
  state.counters["median_us"] = seconds * 1e6;
  state.counters["recover_us"] = recovered * 1e6;
  state.counters["us_per_context"] = recovered * 1e6 / held.contexts;
}

}  // namespace

void RegisterRecoveryBenches(const WriteSetup& setup) {
  constexpr int kContexts = 20;
  constexpr uint32_t kFew = 16;
  // 16 times as much is a quarter of what is appended elsewhere.
  const uint64_t most = setup.bytes / 4 / kContexts / StripeBytes(1).bytes();
  // Powers of two, so that appends end with their stripes.
  const uint32_t many = std::max(kFew, std::bit_floor(static_cast<uint32_t>(most / 16)));
  for (const Held& held :
       {Held{kContexts, many}, Held{kContexts, 4 * many}, Held{kContexts, 16 * many},
        Held{kContexts, kFew}, Held{10 * kContexts, kFew}, Held{100 * kContexts, kFew}}) {
    const std::string name = "Recover/contexts:" + std::to_string(held.contexts) +
                             "/entries:" + std::to_string(held.entries);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [directory = setup.directory, held](benchmark::State& state) {
                                   Recover(state, directory, held);
                                 })
        ->UseManualTime()
        ->Iterations(5)
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace winnow::bench
