#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/shard/context.h"
#include "storage/error.h"
#include "tests/shard/test_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr LayerKind kNone = LayerKind::kNone;
constexpr LayerKind kOwn = LayerKind::kOwn;
constexpr LayerKind kShared = LayerKind::kShared;

// A page of keys and one of rows.
constexpr size_t kPageBytes = 64 * (36 + 96);

TEST(ShardAppend, RepeatedAndOverlappingEntriesAreAccepted) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  EXPECT_EQ(shard.Append(0, 70).value(), 70u);
  EXPECT_EQ(shard.Append(0, 70).value(), 0u);
  EXPECT_EQ(shard.Append(10, 5).value(), 0u);
  EXPECT_EQ(shard.Append(60, 30).value(), 20u);
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(90));
  const SampleQuery query = shard.sample.Query({90});
  EXPECT_EQ(shard.Select(query).value(), shard.sample.Selected(query));
}

TEST(ShardAppend, CountsTheEntriesWrittenOverAllLayers) {
  TestShard shard(TinyProfile({kOwn, kShared}));
  ASSERT_TRUE(shard.Create().ok());
  shard::Append one_layer = shard.AppendCall(0, 10);
  one_layer.layers.pop_back();
  EXPECT_EQ(shard.Ask<shard::AppendResult>(one_layer)->entries_written, 10u);
  EXPECT_EQ(shard.Append(0, 12).value(), 14u);
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(12, 12));
}

TEST(ShardAppend, AGapIsRefusedAndNamesTheEnd) {
  TestShard shard(TinyProfile({kOwn, kShared}));
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 10).ok());
  const absl::Status status = shard.Append(11, 5).status();
  ExpectError(status, StatusCode::kOutOfRange, "APPEND_GAP");
  EXPECT_EQ(ErrorFacts(status)["entries"], "10");
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(10, 10));
}

TEST(ShardAppend, AGapInOneLayerChangesNoLayer) {
  TestShard shard(TinyProfile({kOwn, kShared}));
  ASSERT_TRUE(shard.Create().ok());
  shard::Append first = shard.AppendCall(0, 10);
  first.layers.pop_back();
  ASSERT_TRUE(shard.Ask<shard::AppendResult>(first).ok());
  const absl::Status status = shard.Append(10, 5).status();
  ExpectError(status, StatusCode::kOutOfRange, "APPEND_GAP");
  EXPECT_EQ(ErrorFacts(status)["layer"], "1");
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(10, 0));
}

TEST(ShardAppend, AGapLeavesNoStripeBehind) {
  PageArena arena(0);
  Sample sample(TinyProfile(), 300, kernels::TestSeed());
  shard::Context context(
      {.profile = sample.profile(),
       .arena = &arena,
       .record = {.context_id = "t/a", .tenant = "t", .profile = *sample.profile()}},
      {});
  const auto append = [&](uint32_t stripe, uint32_t offset) {
    return context
        .Append({.stripe = stripe, .offset = offset, .count = 5, .layers = sample.Layers(0, 5)})
        .status();
  };
  ExpectError(append(900, 1), StatusCode::kOutOfRange, "APPEND_GAP");
  EXPECT_EQ(context.FindStripe(900), nullptr);
  ASSERT_TRUE(append(900, 0).ok());
  EXPECT_NE(context.FindStripe(900), nullptr);
}

TEST(ShardAppend, AConflictNamesTheEntryAndChangesNothing) {
  TestShard shard(TinyProfile({kOwn, kShared}));
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 100).ok());
  const SampleQuery query = shard.sample.Query({100});
  for (const bool in_keys : {true, false}) {
    const int layer = in_keys ? 0 : 1;
    const LayerBytes good = shard.sample.Layer(layer, 90, 20);
    const std::span<const std::byte> from = in_keys ? good.index_keys : good.kv_rows;
    std::vector<std::byte> changed(from.begin(), from.end());
    changed[7 * (changed.size() / 20)] ^= std::byte{1};
    shard::Append append = shard.AppendCall(90, 20);
    (in_keys ? append.layers[layer].index_keys : append.layers[layer].kv_rows) = changed;
    const absl::Status status = shard.Ask(append).status();
    ExpectError(status, StatusCode::kAborted, "APPEND_CONFLICT");
    EXPECT_EQ(ErrorFacts(status)["offset"], "97");
    EXPECT_EQ(ErrorFacts(status)["layer"], std::to_string(layer));
    EXPECT_THAT(shard.LayerEntries(), ElementsAre(100, 100));
  }
  EXPECT_EQ(shard.Select(query).value(), shard.sample.Selected(query));
}

TEST(ShardAppend, CheckOnlyTellsWhetherTheEntriesBeforeAreHeld) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 10).ok());
  shard::Append check{
      .context_id = "t/a", .offset = 10, .layers = {{.layer = 0}}, .check_only = true};
  EXPECT_EQ(shard.Ask<shard::AppendResult>(check)->entries_written, 0u);
  check.offset = 11;
  ExpectError(shard.Ask(check).status(), StatusCode::kOutOfRange, "APPEND_GAP");
  check.offset = 1;
  check.stripe = 3;
  ExpectError(shard.Ask(check).status(), StatusCode::kOutOfRange, "APPEND_GAP");
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(10));
}

TEST(ShardAppend, CompareOnlyStoresNothing) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 10).ok());
  shard::Append compare = shard.AppendCall(5, 20);
  compare.compare_only = true;
  EXPECT_EQ(shard.Ask<shard::AppendResult>(compare)->entries_written, 0u);
  compare.layers = shard.sample.Layers(6, 20);
  ExpectError(shard.Ask(compare).status(), StatusCode::kAborted, "APPEND_CONFLICT");
  compare.stripe = 2;
  EXPECT_EQ(shard.Ask<shard::AppendResult>(compare)->entries_written, 0u);
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(10));
}

TEST(ShardAppend, ShapesThatDoNotFitTheProfileAreRefused) {
  TestShard shard(TinyProfile({kNone, kOwn, kShared}), 5000);
  ASSERT_TRUE(shard.Create().ok());
  const shard::Append good = shard.AppendCall(0, 10);
  std::vector<shard::Append> bad(9, good);
  bad[0].layers[0].layer = 3;
  bad[1].layers[0].layer = -1;
  bad[2].layers[0].layer = 0;
  bad[3].layers.push_back(good.layers[1]);
  bad[4].layers[0].index_keys = good.layers[0].index_keys.first(9 * 36);
  bad[5].layers[1].kv_rows = good.layers[1].kv_rows.first(10 * 96 - 1);
  bad[6].layers[1].index_keys = good.layers[0].index_keys;
  bad[7].offset = kStripeEntries - 9;
  bad[8].stripe = (uint32_t{1} << 31) / kStripeEntries;
  shard::Append empty = good;
  empty.count = 0;
  empty.layers = {{.layer = 1}};
  bad.push_back(empty);
  for (size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectError(shard.Ask(bad[i]).status(), StatusCode::kInvalidArgument, "BAD_FIELD");
  }
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(0, 0, 0));
  EXPECT_EQ(shard.Ask<shard::AppendResult>(good)->entries_written, 20u);
}

TEST(ShardBudget, AnAppendThatDoesNotFitChangesNothing) {
  TestShard shard(TinyProfile(), 300, {.memory_budget_bytes = 2 * kPageBytes});
  ASSERT_TRUE(shard.Create("t/a").ok());
  ASSERT_TRUE(shard.Create("t/b").ok());
  ASSERT_TRUE(shard.Append(0, 60).ok());
  ASSERT_TRUE(shard.Append(0, 1, "t/b").ok());
  ExpectError(shard.Append(60, 5).status(), StatusCode::kResourceExhausted, "MEMORY_BUDGET");
  EXPECT_THAT(shard.LayerEntries(), ElementsAre(60));
  const SampleQuery query = shard.sample.Query({60});
  EXPECT_EQ(shard.Select(query).value(), shard.sample.Selected(query));
  // What fits into the open page still does.
  EXPECT_EQ(shard.Append(60, 4).value(), 4u);
  ASSERT_TRUE(shard.Ask(shard::DeleteContext{.context_id = "t/b"}).ok());
  EXPECT_EQ(shard.Append(64, 1).value(), 1u);
}

TEST(ShardBudget, PagesOfAFailedAppendAreGivenBack) {
  // Three pages are wanted; the third layer's does not fit.
  TestShard shard(TinyProfile({kOwn, kOwn, kOwn}), 300, {.memory_budget_bytes = 2 * kPageBytes});
  ASSERT_TRUE(shard.Create().ok());
  for (int round = 0; round < 3; ++round) {
    const absl::Status refused = shard.Append(0, 10).status();
    ExpectError(refused, StatusCode::kResourceExhausted, "MEMORY_BUDGET");
    EXPECT_THAT(std::string(refused.message()),
                AllOf(HasSubstr("raise --memory-budget"), Not(HasSubstr("delete"))));
    EXPECT_THAT(shard.LayerEntries(), ElementsAre(0, 0, 0));
  }
  shard::Append two = shard.AppendCall(0, 10);
  two.layers.pop_back();
  EXPECT_EQ(shard.Ask<shard::AppendResult>(two)->entries_written, 20u);
}

TEST(ShardBudget, AForkThatDoesNotFitIsNotMade) {
  TestShard shard(TinyProfile(), 300, {.memory_budget_bytes = 2 * kPageBytes});
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 100).ok());
  shard::ForkContext fork{.context_id = "t/f", .parent_context_id = "t/a", .entries = 100};
  ExpectError(shard.Ask(fork).status(), StatusCode::kResourceExhausted, "MEMORY_BUDGET");
  ExpectError(shard.Describe("t/f").status(), StatusCode::kNotFound, "UNKNOWN_CONTEXT");
  // Full pages cost nothing.
  fork.entries = 64;
  EXPECT_TRUE(shard.Ask(fork).ok());
  EXPECT_THAT(shard.LayerEntries("t/f"), ElementsAre(64));
}

}  // namespace
}  // namespace winnow::testing
