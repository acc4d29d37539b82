#ifndef WINNOW_TESTS_BENCH_TIERS_QUERY_WALK_H_
#define WINNOW_TESTS_BENCH_TIERS_QUERY_WALK_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/profile.h"
#include "tests/bench/positional_data.h"

namespace winnow::bench {

// The queries of one layer, step after step. A step changes so few codes that it chooses mostly
// what the step before chose, as consecutive steps of a generation do.
class QueryWalk {
 public:
  QueryWalk(const Profile& profile, uint64_t seed);

  // Draws that many codes of the index query and all of the attention query anew.
  void Step(int changed_codes);
  // An index query that has nothing to do with the one before.
  void Restart();

  std::span<const std::byte> index_queries() const { return index_queries_; }
  std::span<const float> weights() const { return weights_; }
  std::span<const std::byte> queries() const { return queries_; }

 private:
  SplitMix random_;
  std::vector<std::byte> index_queries_;  // [index_heads, index_dim] e4m3
  std::vector<float> weights_;            // [index_heads]
  std::vector<std::byte> queries_;        // [query_heads, latent_dim + rope_dim] bf16
};

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIERS_QUERY_WALK_H_
