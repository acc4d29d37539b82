#ifndef WINNOW_TESTS_BENCH_TIERS_RUN_H_
#define WINNOW_TESTS_BENCH_TIERS_RUN_H_

#include <cstdint>
#include <string>

#include "kernels/backend.h"

namespace winnow::bench {

struct TierOptions {
  uint32_t entries = 1 << 22;
  int layers = 4;
  uint64_t budget_bytes = uint64_t{3} << 30;  // 0 for no limit
  int steps = 24;
  int check_every = 12;  // queries
  // From step to step; so many that a tenth of the winners changes.
  int changed_codes = 16;
  std::string directory;
};

// Fills a shard, queries it in all states of its memory, and prints what came out. Whether every
// answer that was checked was exact.
bool RunTiers(const TierOptions& options, const kernels::Backend& backend,
              kernels::WorkerPool& pool);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIERS_RUN_H_
