#include "tests/bench/tiers/query_walk.h"

namespace winnow::bench {

QueryWalk::QueryWalk(const Profile& profile, uint64_t seed)
    : random_(seed),
      index_queries_(profile.index_heads * profile.index_dim),
      weights_(profile.index_heads),
      queries_(profile.query_heads * profile.attend_query_bytes()) {
  Restart();
  Step(0);
}

void QueryWalk::Step(int changed_codes) {
  for (int i = 0; i < changed_codes; ++i) {
    std::byte codes[8];
    FillE4m3(random_, codes, sizeof codes);
    index_queries_[random_.Next() % index_queries_.size()] = codes[0];
  }
  FillBf16(random_, queries_.data(), queries_.size());
}

void QueryWalk::Restart() {
  FillE4m3(random_, index_queries_.data(), index_queries_.size());
  // A quarter of them negative.
  for (float& weight : weights_) {
    weight = static_cast<float>(random_.Next() >> 40) / (1 << 24) - 0.25f;
  }
}

}  // namespace winnow::bench
