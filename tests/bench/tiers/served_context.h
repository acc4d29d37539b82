#ifndef WINNOW_TESTS_BENCH_TIERS_SERVED_CONTEXT_H_
#define WINNOW_TESTS_BENCH_TIERS_SERVED_CONTEXT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/shard/compute.h"
#include "services/shard/shard.h"
#include "tests/bench/positional_data.h"
#include "tests/bench/tiers/query_walk.h"

namespace winnow::bench {

// What a shard answered to one query of one layer.
struct Answer {
  uint64_t selection_id = 0;
  std::vector<kernels::Candidate> selected;  // best first
  std::vector<float> outputs;                // [query_heads, latent_dim]
  double select_seconds = 0;
  double attend_seconds = 0;
  uint64_t index_bytes = 0;  // scored
  uint64_t cold_index_bytes = 0;
  uint64_t cold_rows = 0;
  uint64_t cached_rows = 0;
};

// A shard with one context. Whatever is refused ends the process and says why.
class ServedContext {
 public:
  // data and compute are borrowed. An empty directory is for memory alone.
  ServedContext(const PositionalData& data, shard::Compute& compute, std::string directory,
                uint64_t budget_bytes);

  // Appends entries [0, entries), a stripe of all layers at a time. Returns the seconds that the
  // shard took; making the entries does not count.
  double Append(uint32_t entries);

  // As a coordinator does: the best k, then their attention where their rows are.
  Answer Ask(const QueryWalk& query, int layer);
  // The rows of an answer's selection, in its order.
  std::vector<std::byte> Gather(const Answer& answer, int layer);

  void Spill(bool index, bool kv);
  shard::ContextState Describe();
  uint64_t DiskBytes();

  // Ends the shard and opens it anew.
  shard::RecoveryReport Restart();

 private:
  template <typename T>
  T Call(const shard::Call& call);
  void Open();

  const PositionalData& data_;
  shard::Compute& compute_;
  const shard::ShardOptions options_;
  uint64_t incarnation_ = 0;
  std::unique_ptr<shard::Shard> shard_;
  uint64_t selection_ = 0;
  uint32_t entries_ = 0;
};

}  // namespace winnow::bench

#endif  // WINNOW_TESTS_BENCH_TIERS_SERVED_CONTEXT_H_
