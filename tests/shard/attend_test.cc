#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "storage/error.h"
#include "tests/shard/test_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using kernels::Candidate;
using shard::AttendPath;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A shard with a context of two layers, the second shared, and a selection of two rows.
class ShardAttendTest : public ::testing::Test {
 protected:
  explicit ShardAttendTest(const kernels::Backend* backend = kernels::ChooseBackend("reference"))
      : shard_(TinyProfile({LayerKind::kOwn, LayerKind::kShared}), 300, {}, backend),
        query_(shard_.sample.Query({300, 40})) {
    EXPECT_TRUE(shard_.Create().ok());
    EXPECT_TRUE(shard_.Append(0, 300).ok());
    candidates_ = shard_.Select(query_).value();
    // The best twelve of the one row and the best five of the other.
    thresholds_ = {candidates_[0][11], candidates_[1][4]};
    winners_ = candidates_;
    winners_[0].resize(12);
    winners_[1].resize(5);
  }

  shard::Attend Call(AttendPath path, bool with_thresholds = true) const {
    shard::Attend call = shard_.AttendCall(path);
    if (with_thresholds) call.thresholds = thresholds_;
    if (path == AttendPath::kPushDown) call.queries = query_.queries;
    return call;
  }

  std::string RowsOf(const CandidateRows& winners, int layer) const {
    std::string bytes;
    for (const auto& row : winners) {
      for (const Candidate& winner : row) {
        const auto from = shard_.sample.KvRow(layer, winner.position);
        bytes.append(reinterpret_cast<const char*>(from.data()), from.size());
      }
    }
    return bytes;
  }

  TestShard shard_;
  const SampleQuery query_;
  CandidateRows candidates_;
  CandidateRows winners_;
  std::vector<Candidate> thresholds_;
};

TEST_F(ShardAttendTest, WithoutAPathOnlyFixesTheWinners) {
  const auto result = shard_.Attend(Call(AttendPath::kAuto)).value();
  EXPECT_THAT(result.counts, ElementsAre(12, 5));
  EXPECT_THAT(result.winners, IsEmpty());
  EXPECT_THAT(result.kv_rows, IsEmpty());
  EXPECT_THAT(result.outputs, IsEmpty());
  shard::Attend listing = Call(AttendPath::kAuto, false);
  listing.return_positions = true;
  EXPECT_EQ(shard_.Attend(listing)->winners, winners_);
}

TEST_F(ShardAttendTest, GathersRowsByteForByte) {
  for (const uint32_t layer : {0u, 1u}) {
    shard::Attend call = Call(AttendPath::kGather);
    call.layer = layer;
    const auto result = shard_.Attend(call).value();
    EXPECT_THAT(result.counts, ElementsAre(12, 5));
    EXPECT_EQ(result.winners, winners_);
    EXPECT_EQ(result.kv_rows, RowsOf(winners_, static_cast<int>(layer)));
    EXPECT_THAT(result.outputs, IsEmpty());
  }
}

TEST_F(ShardAttendTest, PushDownIsTheAttentionOverTheWinners) {
  for (const uint32_t layer : {0u, 1u}) {
    shard::Attend call = Call(AttendPath::kPushDown);
    call.layer = layer;
    const auto result = shard_.Attend(call).value();
    const Attention expected = shard_.sample.Attended(query_, winners_, static_cast<int>(layer));
    EXPECT_EQ(result.outputs, expected.outputs);
    EXPECT_EQ(result.lse, expected.lse);
    EXPECT_THAT(result.kv_rows, IsEmpty());
    EXPECT_THAT(result.winners, IsEmpty());
  }
}

class FastShardAttendTest : public ShardAttendTest {
 protected:
  FastShardAttendTest() : ShardAttendTest(kernels::ChooseBackend()) {}
};

TEST_F(FastShardAttendTest, PushDownIsWithinTheVariantsBound) {
  const auto result = shard_.Attend(Call(AttendPath::kPushDown)).value();
  const Attention expected = shard_.sample.Attended(query_, winners_);
  // Where probabilities are rounded, 2^-8 of averages of what rows hold.
  ExpectClose(result.outputs, expected.outputs, 6e-3f);
  ExpectClose(result.lse, expected.lse, 2e-3f);
}

TEST_F(ShardAttendTest, ARowWithoutWinnersHasNoWeight) {
  thresholds_[1] = {INFINITY, 0};
  const auto result = shard_.Attend(Call(AttendPath::kPushDown)).value();
  EXPECT_THAT(result.counts, ElementsAre(12, 0));
  for (size_t head = 2; head < 4; ++head) EXPECT_EQ(result.lse[head], -INFINITY);
  for (size_t i = size_t{2} * 32; i < result.outputs.size(); ++i) EXPECT_EQ(result.outputs[i], 0);
}

TEST_F(ShardAttendTest, TheSameThresholdsMayComeAgainAndOthersMayNot) {
  ASSERT_TRUE(shard_.Attend(Call(AttendPath::kAuto)).ok());
  EXPECT_EQ(shard_.Attend(Call(AttendPath::kGather))->winners, winners_);
  const auto kept = thresholds_;
  thresholds_[0] = candidates_[0][3];
  ExpectError(shard_.Attend(Call(AttendPath::kGather)).status(), StatusCode::kFailedPrecondition,
              "THRESHOLDS");
  thresholds_ = kept;
  EXPECT_EQ(shard_.Attend(Call(AttendPath::kGather))->winners, winners_);
}

TEST_F(ShardAttendTest, WinnersThatAreNotFixedCannotBeAskedFor) {
  ExpectError(shard_.Attend(Call(AttendPath::kGather, false)).status(),
              StatusCode::kFailedPrecondition, "THRESHOLDS");
  EXPECT_EQ(shard_.Attend(Call(AttendPath::kGather))->winners, winners_);
}

TEST_F(ShardAttendTest, ShapesThatDoNotFitAreRefused) {
  std::vector<shard::Attend> bad(6, Call(AttendPath::kPushDown));
  bad[0].thresholds.pop_back();
  bad[1].thresholds.push_back({0, 0});
  bad[2].layer = 2;
  bad[3].queries = bad[3].queries.first(bad[3].queries.size() - 1);
  bad[4].queries = {};
  bad[5].path = AttendPath::kGather;
  for (size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectError(shard_.Attend(bad[i]).status(), StatusCode::kInvalidArgument, "BAD_FIELD");
  }
  EXPECT_TRUE(shard_.Attend(Call(AttendPath::kPushDown)).ok());
}

TEST_F(ShardAttendTest, ALayerThatLacksAWinnerIsShort) {
  ASSERT_TRUE(shard_.Create("t/b").ok());
  shard::Append append = shard_.AppendCall(0, 300, "t/b");
  append.layers.pop_back();
  ASSERT_TRUE(shard_.Ask<shard::AppendResult>(append).ok());
  ASSERT_TRUE(shard_.Select(query_, 2, "t/b").ok());
  shard::Attend call = shard_.AttendCall(AttendPath::kGather, 2, "t/b");
  call.thresholds = thresholds_;
  EXPECT_TRUE(shard_.Attend(call).ok());
  call.layer = 1;
  const absl::Status status = shard_.Attend(call).status();
  ExpectError(status, StatusCode::kOutOfRange, "LAYER_SHORT");
  EXPECT_EQ(ErrorFacts(status)["layer"], "1");
  EXPECT_EQ(ErrorFacts(status)["position"], std::to_string(winners_[0][0].position));
}

TEST_F(ShardAttendTest, AnIdThatIsInUseIsRefusedAndKeepsItsSelection) {
  const SampleQuery other = shard_.sample.Query({300, 300});
  ExpectError(shard_.Select(other).status(), StatusCode::kInvalidArgument, "BAD_FIELD");
  EXPECT_EQ(shard_.Attend(Call(AttendPath::kGather))->winners, winners_);
}

TEST_F(ShardAttendTest, ASelectionBelongsToItsContextAndDiesWithIt) {
  const shard::ForkContext fork{.context_id = "t/f", .parent_context_id = "t/a", .entries = 300};
  ASSERT_TRUE(shard_.Ask(fork).ok());
  shard::Attend of_fork = Call(AttendPath::kGather);
  of_fork.context_id = "t/f";
  ExpectError(shard_.Attend(of_fork).status(), StatusCode::kNotFound, "SELECTION_EXPIRED");
  EXPECT_TRUE(shard_.Attend(Call(AttendPath::kGather)).ok());
  ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  ASSERT_TRUE(shard_.Create().ok());
  ASSERT_TRUE(shard_.Append(0, 300).ok());
  ExpectError(shard_.Attend(Call(AttendPath::kGather)).status(), StatusCode::kNotFound,
              "SELECTION_EXPIRED");
}

TEST(ShardSelections, TheLeastRecentlyUsedMakesRoom) {
  TestShard shard(TinyProfile(), 50, {.max_selections = 2});
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 50).ok());
  const SampleQuery query = shard.sample.Query({50});
  const auto attend = [&](uint64_t id) {
    shard::Attend call = shard.AttendCall(AttendPath::kGather, id);
    call.thresholds = {{-INFINITY, 0}};
    return shard.Attend(call).status();
  };
  ASSERT_TRUE(shard.Select(query, 1).ok());
  ASSERT_TRUE(shard.Select(query, 2).ok());
  ASSERT_TRUE(attend(1).ok());
  ASSERT_TRUE(shard.Select(query, 3).ok());
  EXPECT_TRUE(attend(1).ok());
  ExpectError(attend(2), StatusCode::kNotFound, "SELECTION_EXPIRED");
  EXPECT_TRUE(attend(3).ok());
}

TEST(ShardSelections, ExpireAfterTheirTimeToLive) {
  TestShard shard(TinyProfile(), 50, {.selection_ttl = absl::Milliseconds(1)});
  ASSERT_TRUE(shard.Create().ok());
  ASSERT_TRUE(shard.Append(0, 50).ok());
  ASSERT_TRUE(shard.Select(shard.sample.Query({50})).ok());
  absl::SleepFor(absl::Milliseconds(20));
  shard::Attend call = shard.AttendCall(AttendPath::kGather);
  call.thresholds = {{-INFINITY, 0}};
  ExpectError(shard.Attend(call).status(), StatusCode::kNotFound, "SELECTION_EXPIRED");
  // The id may be used again.
  EXPECT_TRUE(shard.Select(shard.sample.Query({50})).ok());
}

}  // namespace
}  // namespace winnow::testing
