#include "client/winnowctl/ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace winnow::ctl {
namespace {

using client::StripeRange;
using client::TierResult;
using ::testing::ElementsAre;

// Runs over results given in advance; an empty list of them is an error.
struct Script {
  absl::Status Run() {
    return ByRanges<TierResult>(
        "testing",
        [this](StripeRange range) -> absl::StatusOr<TierResult> {
          asked.push_back(range.first_stripe);
          EXPECT_EQ(range.stripes, 0u) << "how many is the service's choice";
          if (asked.size() > results.size()) return absl::DataLossError("no more");
          return results[asked.size() - 1];
        },
        [this](const TierResult& result) { added += result.kv_bytes; });
  }

  std::vector<TierResult> results;
  std::vector<uint32_t> asked = {};
  uint64_t added = 0;
};

TEST(ByRanges, GoesOnWhereTheLastRangeSaysUntilNothingIsLeft) {
  Script script{.results = {{.kv_bytes = 1, .next_stripe = 2, .total_stripes = 9},
                            {.kv_bytes = 2, .next_stripe = 7, .total_stripes = 9},
                            {.kv_bytes = 4, .next_stripe = 0, .total_stripes = 9}}};
  EXPECT_TRUE(script.Run().ok());
  EXPECT_THAT(script.asked, ElementsAre(0, 2, 7));
  EXPECT_EQ(script.added, 7u);
}

TEST(ByRanges, OfAnEmptyContextIsOneCall) {
  Script script{.results = {{}}};
  EXPECT_TRUE(script.Run().ok());
  EXPECT_THAT(script.asked, ElementsAre(0));
}

TEST(ByRanges, EndsWithTheFirstError) {
  Script script{.results = {{.kv_bytes = 1, .next_stripe = 2}}};
  EXPECT_EQ(script.Run().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(script.asked, ElementsAre(0, 2));
  EXPECT_EQ(script.added, 1u);
}

TEST(ByRanges, FollowsAContextThatGrowsMeanwhile) {
  Script script{.results = {{.next_stripe = 2, .total_stripes = 2},
                            {.next_stripe = 4, .total_stripes = 5},
                            {.total_stripes = 5}}};
  EXPECT_TRUE(script.Run().ok());
  EXPECT_THAT(script.asked, ElementsAre(0, 2, 4));
}

}  // namespace
}  // namespace winnow::ctl
