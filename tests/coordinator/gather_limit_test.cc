// What a gather may move, over all shards together.
#include "services/shard/gather_limit.h"

#include <gtest/gtest.h>

#include "kernels/layout.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using namespace winnow::testing;

// 1,152 bytes a row.
Profile WideProfile() {
  Profile profile = TinyProfile();
  profile.latent_dim = 512;
  profile.rope_dim = 64;
  profile.top_k = kernels::kMaxTopK;
  return profile;
}

TEST(GatherLimit, IsToldBeforeTheShardsAreAsked) {
  Sample sample(WideProfile(), 70, kernels::TestSeed());
  LocalCluster cluster(2);
  cluster.Load(sample);
  const SampleQuery query = sample.Query(std::vector<uint32_t>(64, 70));
  const absl::Status status =
      cluster.coordinator()
          .Gather({.context = Name(), .source = IndexQueryOf(query)}, Unhurried())
          .status();
  ExpectError(status, StatusCode::kResourceExhausted, "GATHER_TOO_LARGE");
  EXPECT_EQ(cluster.shard(0).calls<shard::Select>(), 0);
  EXPECT_TRUE(cluster.coordinator()
                  .Gather({.context = Name(), .source = IndexQueryOf(query, 70)}, Unhurried())
                  .ok());
}

TEST(GatherLimit, IsOfAllShardsTogether) {
  constexpr uint32_t kEntries = kernels::kMaxTopK;
  Sample sample(WideProfile(), kEntries, kernels::TestSeed());
  LocalCluster cluster(2, /*in_process=*/false);
  cluster.Load(sample);
  const SampleQuery query = sample.Query(std::vector<uint32_t>(64, kEntries));
  const absl::Status refused =
      cluster.coordinator().Attend(AttendQueryOf(query, AttendPath::kGather), Unhurried()).status();
  ExpectError(refused, StatusCode::kResourceExhausted, "GATHER_TOO_LARGE");
  EXPECT_EQ(cluster.shard(0).calls<shard::Attend>(), 0) << "the winners are known";
}

TEST(GatherLimit, IsOneGibibyte) {
  EXPECT_TRUE(shard::CheckGatherBytes(uint64_t{1} << 20, 1024).ok());
  ExpectError(shard::CheckGatherBytes((uint64_t{1} << 20) + 1, 1024),
              StatusCode::kResourceExhausted, "GATHER_TOO_LARGE");
  ExpectError(shard::CheckGatherBytes(~uint64_t{0}, 2), StatusCode::kResourceExhausted,
              "GATHER_TOO_LARGE");
}

}  // namespace
}  // namespace winnow::coordinator
