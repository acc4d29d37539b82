#include "storage/residency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace winnow {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kMiB = size_t{1} << 20;

absl::Time At(int second) { return absl::UnixEpoch() + absl::Seconds(second); }

auto Is(size_t context, Plane plane, uint64_t bytes) {
  return testing::AllOf(testing::Field(&Victim::context, context),
                        testing::Field(&Victim::plane, plane),
                        testing::Field(&Victim::bytes, bytes));
}

const std::vector<ContextResidency> kContexts = {
    {.last_used = At(30), .index_bytes = 10, .kv_bytes = 100},
    {.last_used = At(10), .index_bytes = 20, .kv_bytes = 200},
    {.last_used = At(20), .index_bytes = 30, .kv_bytes = 300},
};

TEST(ChooseVictims, TakesKvPlanesFirstAndTheLeastRecentlyUsedContextFirst) {
  EXPECT_THAT(ChooseVictims(kContexts, 150), ElementsAre(Is(1, Plane::kKv, 150)));
  EXPECT_THAT(ChooseVictims(kContexts, 200), ElementsAre(Is(1, Plane::kKv, 200)));
  EXPECT_THAT(ChooseVictims(kContexts, 501),
              ElementsAre(Is(1, Plane::kKv, 200), Is(2, Plane::kKv, 300), Is(0, Plane::kKv, 1)));
  EXPECT_THAT(ChooseVictims(kContexts, 625),
              ElementsAre(Is(1, Plane::kKv, 200), Is(2, Plane::kKv, 300), Is(0, Plane::kKv, 100),
                          Is(1, Plane::kIndex, 20), Is(2, Plane::kIndex, 5)));
}

TEST(ChooseVictims, TakesAllThereIsWhereThatIsTooLittle) {
  uint64_t bytes = 0;
  for (const Victim& victim : ChooseVictims(kContexts, 100'000)) bytes += victim.bytes;
  EXPECT_EQ(bytes, 660u);
  EXPECT_THAT(ChooseVictims(kContexts, 0), IsEmpty());
  EXPECT_THAT(ChooseVictims({}, 10), IsEmpty());
}

TEST(ChooseVictims, LeavesWhatIsPinned) {
  std::vector<ContextResidency> contexts = kContexts;
  contexts[1].pinned = true;
  EXPECT_THAT(ChooseVictims(contexts, 301),
              ElementsAre(Is(2, Plane::kKv, 300), Is(0, Plane::kKv, 1)));
  for (const Victim& victim : ChooseVictims(contexts, 100'000)) EXPECT_NE(victim.context, 1u);
}

TEST(ChooseVictims, KeepsToTheLimits) {
  EXPECT_THAT(
      ChooseVictims(kContexts, 1000, {.index_used_before = At(0), .kv_used_before = At(20)}),
      ElementsAre(Is(1, Plane::kKv, 200)));
  EXPECT_THAT(
      ChooseVictims(kContexts, 1000, {.index_used_before = At(11), .kv_used_before = At(0)}),
      ElementsAre(Is(1, Plane::kIndex, 20)));
}

TEST(ChooseVictims, OfContextsUsedAtOnceTakesThemInOrder) {
  const std::vector<ContextResidency> same(3, {.last_used = At(1), .kv_bytes = 10});
  EXPECT_THAT(ChooseVictims(same, 15), ElementsAre(Is(0, Plane::kKv, 10), Is(1, Plane::kKv, 5)));
}

TEST(SplitBudget, LeavesMostOfItToPages) {
  for (const size_t budget : {64 * kMiB, 1024 * kMiB, 3072 * kMiB, 100'000 * kMiB}) {
    const MemorySplit split = SplitBudget(budget);
    EXPECT_LE(split.page_bytes + 3 * split.segment_bytes + split.row_cache_bytes +
                  split.block_cache_bytes,
              budget + budget / 4);
    EXPECT_GE(split.page_bytes, budget / 2);
    EXPECT_GE(split.segment_bytes, 4 * kMiB);
  }
  EXPECT_GE(SplitBudget(3072 * kMiB).page_bytes, 2560 * kMiB);
}

TEST(SplitBudget, WithoutALimitPagesHaveNoneEither) {
  EXPECT_EQ(SplitBudget(0).page_bytes, 0u);
  EXPECT_GT(SplitBudget(0).segment_bytes, 0u);
  EXPECT_GT(SplitBudget(0).row_cache_bytes, 0u);
}

}  // namespace
}  // namespace winnow
