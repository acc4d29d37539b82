#ifndef WINNOW_TESTS_BENCH_TIERS_PHASE_H_
#define WINNOW_TESTS_BENCH_TIERS_PHASE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/tiers/oracle.h"
#include "tests/bench/tiers/served_context.h"

namespace winnow::bench {

// Queries of one kind, step after step over all layers.
struct Phase {
  std::string name;
  int steps = 0;
  int warm_up_steps = 0;     // before those, not counted
  int changed_codes = 0;     // of a query from step to step
  bool restarts = false;     // every query has nothing to do with the one before
  bool spill_index = false;  // before every query
  int check_every = 0;       // queries; 0 for none
};

// What came out, over all steps and layers.
struct Figures {
  std::vector<double> select_seconds;
  std::vector<double> attend_seconds;
  std::vector<double> seconds;  // of both
  uint64_t winners = 0;
  uint64_t repeated_winners = 0;  // of those, that the step before chose too
  uint64_t cold_rows = 0;         // of the winners, that were not in memory's pages
  uint64_t cached_rows = 0;       // of those, found in the row cache
  uint64_t index_bytes = 0;
  uint64_t cold_index_bytes = 0;  // of those, read from disk
  int checked = 0;
  int inexact = 0;
  uint64_t peak_bytes = 0;  // of the process in memory meanwhile
  double others_share = 0;  // of the processors' work meanwhile, that was for other processes
};

// Runs phases of a context. Everything is borrowed.
class PhaseRunner {
 public:
  PhaseRunner(ServedContext& context, const Oracle& oracle, const Profile& profile,
              uint32_t entries);

  Figures Run(const Phase& phase);

 private:
  void Ask(const Phase& phase, int layer, Figures* figures);
  // Whether all is to the bit what one scan over all entries gives.
  bool IsExact(const Answer& answer, int layer);

  ServedContext& context_;
  const Oracle& oracle_;
  const uint32_t entries_;
  std::vector<QueryWalk> walks_;                  // [layers]
  std::vector<std::vector<uint32_t>> positions_;  // [layers] winners of the step before, ascending
  int asked_ = 0;
};

// The value below which that share of the values lies.
double Percentile(std::vector<double> values, double share);

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIERS_PHASE_H_
