#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/error.h"
#include "tests/shard/test_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;

// Scores until it is told to stop.
class EndlessBackend final : public kernels::Backend {
 public:
  std::string_view name() const override { return "endless"; }
  void ScoreTopK(const kernels::ScoreTopKParams& params, kernels::WorkerPool&,
                 kernels::ScoreTopKResult* result) const override {
    const absl::Time limit = absl::Now() + absl::Seconds(20);
    while (!params.cancelled->load() && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
    result->selected.assign(params.query.rows, {{1.0f, 0}});
    result->complete = !params.cancelled->load();
  }
  void SparseAttention(const kernels::AttendParams&, kernels::WorkerPool&) const override {}
};

class ShardSelectTest : public ::testing::TestWithParam<const kernels::Backend*> {};

INSTANTIATE_TEST_SUITE_P(EveryVariant, ShardSelectTest,
                         ::testing::ValuesIn(kernels::AvailableBackends()),
                         [](const auto& info) { return std::string(info.param->name()); });

TEST_P(ShardSelectTest, EqualsOneScanOverTheSameEntries) {
  constexpr uint32_t kEntries = 2 * kStripeEntries + 75;
  for (const kernels::KeyFormat format : {kernels::KeyFormat::kFp8E4M3, kernels::KeyFormat::kMxFp4,
                                          kernels::KeyFormat::kBf16, kernels::KeyFormat::kInt8}) {
    Profile profile = TinyProfile();
    profile.key_format = format;
    TestShard shard(profile, kEntries, {}, GetParam());
    ASSERT_TRUE(shard.Create().ok());
    for (uint32_t start = 0; start < kEntries; start += kStripeEntries) {
      ASSERT_TRUE(shard.Append(start, std::min(kStripeEntries, kEntries - start)).ok());
    }
    uint64_t id = 1;
    for (const std::vector<uint32_t>& visible :
         {std::vector<uint32_t>{kEntries}, {1, kEntries, 4096, 64, 4097}, {19}, {65, 20}}) {
      const SampleQuery query = shard.sample.Query(visible);
      EXPECT_EQ(shard.Select(query, id++).value(), shard.sample.Selected(query, 0, 0, GetParam()));
    }
  }
}

TEST(ShardSelect, ScoresOnlyTheStripesItIsAskedFor) {
  TestShard shard(TinyProfile(), kStripeEntries + 10);
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(kStripeEntries, 10).ok());
  const SampleQuery query = shard.sample.Query({kStripeEntries + 5});
  shard::Select call = shard.SelectCall(query);
  call.stripes = {1};
  const auto result = shard.Ask<shard::SelectResult>(call).value();
  EXPECT_EQ(result.entries_scanned, 5u);
  EXPECT_EQ(result.index_bytes_read, 5u * 36);
  ASSERT_EQ(result.candidates[0].size(), 5u);
  for (const kernels::Candidate& candidate : result.candidates[0]) {
    EXPECT_GE(candidate.position, kStripeEntries);
    EXPECT_LT(candidate.position, kStripeEntries + 5);
  }
}

TEST(ShardSelect, WithoutStripesAnswersAnEmptyListForEachRow) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  const SampleQuery query = shard.sample.Query({300, 1});
  shard::Select call = shard.SelectCall(query);
  call.stripes.clear();
  const auto result = shard.Ask<shard::SelectResult>(call).value();
  EXPECT_EQ(result.entries_scanned, 0u);
  EXPECT_THAT(result.candidates, ::testing::ElementsAre(IsEmpty(), IsEmpty()));
}

TEST(ShardSelect, NamesNoMoreStripesThanAnErrorHasRoomFor) {
  TestShard shard(TinyProfile(), 100 * kStripeEntries);
  ASSERT_TRUE(shard.Create().ok());
  const absl::Status status = shard.Select(shard.sample.Query({100 * kStripeEntries})).status();
  ExpectError(status, StatusCode::kDataLoss, "MISSING_STRIPES");
  EXPECT_EQ(ErrorFacts(status)["stripes"], "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("14, 15 and 84 more"));
}

TEST(ShardSelect, NamesEveryStripeThatIsNotHeldInFull) {
  constexpr uint32_t kEntries = 3 * kStripeEntries + 50;
  TestShard shard(TinyProfile(), kEntries);
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, kStripeEntries - 1).ok());
  ASSERT_TRUE(shard.Append(kStripeEntries, kStripeEntries).ok());
  ASSERT_TRUE(shard.Append(3 * kStripeEntries, 50).ok());
  const SampleQuery query = shard.sample.Query({1, kEntries});
  const absl::Status status = shard.Select(query).status();
  ExpectError(status, StatusCode::kDataLoss, "MISSING_STRIPES");
  EXPECT_EQ(ErrorFacts(status)["stripes"], "0,2");
  // Nothing is kept under the id of a selection that failed.
  ExpectError(shard.Attend(shard.AttendCall(shard::AttendPath::kAuto)).status(),
              StatusCode::kNotFound, "SELECTION_EXPIRED");
  const SampleQuery shorter = shard.sample.Query({kStripeEntries - 1});
  EXPECT_EQ(shard.Select(shorter).value(), shard.sample.Selected(shorter));
}

TEST(ShardSelect, ShapesThatDoNotFitTheProfileAreRefused) {
  TestShard shard(TinyProfile({LayerKind::kOwn, LayerKind::kShared}));
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 100).ok());
  const SampleQuery query = shard.sample.Query({100, 7});
  const shard::Select good = shard.SelectCall(query);
  std::vector<shard::Select> bad(10, good);
  bad[0].visible_entries.clear();
  bad[1].visible_entries.assign(65, 1);
  bad[2].layer = 1;
  bad[3].layer = 2;
  bad[4].top_k = 0;
  bad[5].top_k = 21;
  bad[6].queries = good.queries.first(good.queries.size() - 1);
  bad[7].weights = good.weights.first(good.weights.size() - 1);
  bad[8].stripes = {0, 0};
  bad[9].stripes = {1, 0};
  for (size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectError(shard.Ask(bad[i]).status(), StatusCode::kInvalidArgument, "BAD_FIELD");
  }
  EXPECT_TRUE(shard.Ask<shard::SelectResult>(good).ok());
}

TEST(ShardDeadline, ThatHasPassedIsRefusedBeforeAnythingIsDone) {
  TestShard shard;
  ASSERT_TRUE(shard.Create().ok());
  const absl::Time passed = absl::Now() - absl::Milliseconds(1);
  ExpectError(shard.Ask(shard.AppendCall(0, 10), passed).status(), StatusCode::kDeadlineExceeded,
              "DEADLINE");
  EXPECT_EQ(shard.LayerEntries()[0], 0u);
  ExpectError(shard.Ask(shard::DeleteContext{.context_id = "t/a"}, passed).status(),
              StatusCode::kDeadlineExceeded, "DEADLINE");
  EXPECT_TRUE(shard.Describe().ok());
}

TEST(ShardDeadline, ThatPassesDuringTheScanStopsIt) {
  const EndlessBackend endless;
  TestShard shard(TinyProfile(), 100, {}, &endless);
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 100).ok());
  const SampleQuery query = shard.sample.Query({100});
  const absl::Time start = absl::Now();
  const absl::Time deadline = start + absl::Milliseconds(30);
  ExpectError(shard.Ask(shard.SelectCall(query), deadline).status(), StatusCode::kDeadlineExceeded,
              "DEADLINE");
  EXPECT_GE(absl::Now(), deadline);
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  ExpectError(shard.Attend(shard.AttendCall(shard::AttendPath::kAuto)).status(),
              StatusCode::kNotFound, "SELECTION_EXPIRED");
}

TEST(ShardConcurrency, ASelectionIsExactForItsVisibleEntriesWhileOthersAreAppended) {
  constexpr uint32_t kEntries = 700;
  TestShard shard(TinyProfile(), kEntries);
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 1).ok());
  std::atomic<uint32_t> held = 1;
  std::vector<SampleQuery> queries;
  for (int i = 0; i < 3; ++i) queries.push_back(shard.sample.Query({1}));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      SampleQuery query = queries[reader];
      uint64_t id = 1000 * (reader + 1);
      for (uint32_t visible = 0; visible < kEntries;) {
        visible = held.load();
        query.visible_entries = {visible};
        const auto selected = shard.Select(query, ++id);
        if (!selected.ok() || *selected != shard.sample.Selected(query)) ++wrong;
        shard::Attend call = shard.AttendCall(shard::AttendPath::kGather, id);
        call.thresholds = {{-std::numeric_limits<float>::infinity(), kEntries}};
        if (!shard.Attend(call).ok()) ++wrong;
      }
    });
  }
  for (uint32_t start = 1; start < kEntries;) {
    const uint32_t count = std::min(7u, kEntries - start);
    ASSERT_EQ(shard.Append(start, count).value(), count);
    start += count;
    held = start;
    absl::SleepFor(absl::Microseconds(300));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace winnow::testing
