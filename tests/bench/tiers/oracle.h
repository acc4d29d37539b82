#ifndef WINNOW_TESTS_BENCH_TIERS_ORACLE_H_
#define WINNOW_TESTS_BENCH_TIERS_ORACLE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "tests/bench/positional_data.h"
#include "tests/bench/tiers/query_walk.h"

namespace winnow::bench {

// What a shard must answer, found over entries that are made again chunk by chunk. The kernels'
// results depend neither on how a scan was divided nor on threads, so all must agree to the bit.
class Oracle {
 public:
  using Candidates = std::vector<kernels::Candidate>;  // best first

  // All are borrowed.
  Oracle(const PositionalData& data, const kernels::Backend& backend, kernels::WorkerPool& pool)
      : data_(data), backend_(backend), pool_(pool) {}

  // The best of entries [0, entries) of the layer.
  Candidates Selected(const QueryWalk& query, int layer, uint32_t entries) const;

  // The rows of the winners, in their order.
  std::vector<std::byte> Rows(const Candidates& winners, int layer) const;

  // Attention over such rows: the outputs, [query_heads, latent_dim].
  std::vector<float> Attended(const QueryWalk& query, std::span<const std::byte> rows) const;

 private:
  const PositionalData& data_;
  const kernels::Backend& backend_;
  kernels::WorkerPool& pool_;
};

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIERS_ORACLE_H_
