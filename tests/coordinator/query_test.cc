#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "storage/error.h"
#include "tests/support/local_cluster.h"

namespace winnow::coordinator {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;
using namespace winnow::testing;

constexpr LayerKind kNone = LayerKind::kNone;
constexpr LayerKind kOwn = LayerKind::kOwn;
constexpr LayerKind kShared = LayerKind::kShared;
constexpr uint32_t kEntries = 3 * kStripeEntries + 75;

// [T, width, row bytes] of the selected positions, zero past a row's end.
std::string PaddedRows(const Sample& sample, const CandidateRows& rows, size_t width, int layer) {
  const size_t row_bytes = sample.profile()->row_bytes();
  std::string bytes(rows.size() * width * row_bytes, '\0');
  for (size_t t = 0; t < rows.size(); ++t) {
    for (size_t i = 0; i < rows[t].size(); ++i) {
      const auto from = sample.KvRow(layer, rows[t][i].position);
      std::memcpy(&bytes[(t * width + i) * row_bytes], from.data(), row_bytes);
    }
  }
  return bytes;
}

class QueryTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  QueryTest()
      : cluster_(GetParam()),
        sample_(TinyProfile({kNone, kOwn, kShared, kOwn, kShared}), kEntries, kernels::TestSeed()) {
    cluster_.Load(sample_);
  }

  LocalCluster cluster_;
  Sample sample_;
};

INSTANTIATE_TEST_SUITE_P(Shards, QueryTest, ::testing::Values(1, 2, 3, 5));

TEST_P(QueryTest, ASelectionIsThatOfOneScan) {
  for (const std::vector<uint32_t>& visible :
       {std::vector<uint32_t>{kEntries}, {kEntries, 1, 4096, 64, 4097}, {7}}) {
    for (const uint32_t layer : {1u, 3u}) {
      for (const uint32_t top_k : {0u, 1u, 13u}) {
        const SampleQuery query = sample_.Query(visible);
        const auto reply =
            cluster_.coordinator()
                .Select({.context = Name(), .layer = layer, .source = IndexQueryOf(query, top_k)},
                        Unhurried())
                .value();
        EXPECT_EQ(reply.selection.rows, sample_.Selected(query, static_cast<int>(layer), top_k));
        EXPECT_EQ(reply.selection.top_k, top_k == 0 ? 20u : top_k);
        EXPECT_NE(reply.selection.selection_id, 0u);
        EXPECT_EQ(reply.stats.entries_scanned, *std::max_element(visible.begin(), visible.end()));
        EXPECT_EQ(reply.stats.shards, GetParam());
        EXPECT_EQ(reply.stats.bytes_moved, 0u);
      }
    }
  }
}

TEST_P(QueryTest, GatheredRowsAreThoseThatWereAppended) {
  const SampleQuery query = sample_.Query({kEntries, 5});
  const auto reply =
      cluster_.coordinator()
          .Gather({.context = Name(), .layer = 1, .source = IndexQueryOf(query)}, Unhurried())
          .value();
  const CandidateRows selected = sample_.Selected(query, 1);
  EXPECT_EQ(reply.selection.rows, selected);
  EXPECT_EQ(reply.row_bytes, 96u);
  EXPECT_EQ(reply.kv_rows, PaddedRows(sample_, selected, 20, 1));
}

TEST_P(QueryTest, AttentionIsThatOverTheSelectionOnEitherPath) {
  const SampleQuery query = sample_.Query({kEntries, 3, 5000});
  const CandidateRows selected = sample_.Selected(query, 3);
  const Attention expected = sample_.Attended(query, selected, 3);
  for (const AttendPath path : {AttendPath::kGather, AttendPath::kPushDown, AttendPath::kAuto}) {
    AttendQuery attend = AttendQueryOf(query, path);
    attend.layer = 3;
    const auto reply = cluster_.coordinator().Attend(attend, Unhurried()).value();
    EXPECT_EQ(reply.stats.path, path == AttendPath::kGather ? path : AttendPath::kPushDown);
    EXPECT_EQ(reply.query_rows, 3u);
    EXPECT_EQ(reply.selection.rows, selected);
    EXPECT_EQ(reply.selection.top_k, 20u);
    ExpectClose(reply.outputs, expected.outputs);
    ExpectClose(reply.lse, expected.lse);
    if (path != AttendPath::kGather) continue;
    EXPECT_EQ(reply.outputs, expected.outputs);
    EXPECT_EQ(reply.lse, expected.lse);
  }
}

TEST_P(QueryTest, ASharedLayerAttendsOverTheSelectionOfAnother) {
  const SampleQuery query = sample_.Query({kEntries, 9});
  const auto selection =
      cluster_.coordinator()
          .Select({.context = Name(), .layer = 1, .source = IndexQueryOf(query)}, Unhurried())
          .value()
          .selection;
  for (const uint32_t layer : {2u, 1u, 2u, 4u}) {
    const Attention expected = sample_.Attended(query, selection.rows, static_cast<int>(layer));
    for (const AttendPath path : {AttendPath::kGather, AttendPath::kPushDown, AttendPath::kAuto}) {
      const auto reply =
          cluster_.coordinator()
              .Attend(AttendQueryOf(query, selection.selection_id, layer, path), Unhurried())
              .value();
      EXPECT_EQ(reply.selection.selection_id, selection.selection_id);
      EXPECT_EQ(reply.selection.rows, selection.rows);
      ExpectClose(reply.outputs, expected.outputs);
      ExpectClose(reply.lse, expected.lse);
      EXPECT_EQ(reply.stats.entries_scanned, 0u);
    }
    const auto gathered =
        cluster_.coordinator()
            .Gather({.context = Name(), .layer = layer, .source = selection.selection_id},
                    Unhurried())
            .value();
    EXPECT_EQ(gathered.selection.rows, selection.rows);
    EXPECT_EQ(gathered.kv_rows, PaddedRows(sample_, selection.rows, 20, static_cast<int>(layer)));
  }
}

TEST_P(QueryTest, TheSelectionOfAnAttentionCanBeUsedAgain) {
  const SampleQuery query = sample_.Query({kEntries});
  AttendQuery first = AttendQueryOf(query);
  first.layer = 1;
  first.return_selection = false;
  const auto reply = cluster_.coordinator().Attend(first, Unhurried()).value();
  EXPECT_THAT(reply.selection.rows, IsEmpty());
  const auto again = cluster_.coordinator()
                         .Attend(AttendQueryOf(query, reply.selection.selection_id, 1), Unhurried())
                         .value();
  EXPECT_EQ(again.selection.rows, sample_.Selected(query, 1));
  EXPECT_EQ(again.outputs, reply.outputs);
}

TEST_P(QueryTest, ASinkTakesWeightFromTheOutputsAndNotFromTheLse) {
  const SampleQuery query = sample_.Query({kEntries, 2});
  const std::vector<float> sink = {0.5f, -1000.0f};
  Attention expected = sample_.Attended(query, sample_.Selected(query, 1), 1);
  for (size_t i = 0; i < expected.outputs.size(); ++i) {
    const size_t head = i / 32;
    const double weight = std::exp(double{expected.lse[head]});
    expected.outputs[i] *= static_cast<float>(weight / (weight + std::exp(sink[head % 2])));
  }
  for (const AttendPath path : {AttendPath::kGather, AttendPath::kPushDown}) {
    AttendQuery attend = AttendQueryOf(query, path);
    attend.layer = 1;
    attend.sink = std::as_bytes(std::span(sink));
    const auto reply = cluster_.coordinator().Attend(attend, Unhurried()).value();
    ExpectClose(reply.outputs, expected.outputs);
    ExpectClose(reply.lse, expected.lse);
  }
}

TEST_P(QueryTest, SeeingPastTheEndIsRefusedAndNamesTheEnd) {
  const SampleQuery query = sample_.Query({1, kEntries + 1});
  const absl::Status status =
      cluster_.coordinator()
          .Select({.context = Name(), .layer = 1, .source = IndexQueryOf(query)}, Unhurried())
          .status();
  ExpectError(status, StatusCode::kOutOfRange, "VISIBLE_OUT_OF_RANGE");
  EXPECT_EQ(ErrorFacts(status)["end"], std::to_string(kEntries));
}

TEST_P(QueryTest, WhatDoesNotFitTheProfileIsRefused) {
  const SampleQuery query = sample_.Query({kEntries});
  AttendQuery good = AttendQueryOf(query);
  good.layer = 1;
  const std::vector<float> infinite = {0, INFINITY};
  std::vector<AttendQuery> bad(9, good);
  bad[0].layer = 0;
  bad[1].layer = 2;
  bad[2].layer = 5;
  bad[3].queries = good.queries.first(good.queries.size() - 2);
  bad[4].sink = std::as_bytes(std::span(infinite)).first(4);
  std::get<IndexQuery>(bad[5].source).top_k = 21;
  std::get<IndexQuery>(bad[6].source).visible_entries = {0};
  std::get<IndexQuery>(bad[7].source).visible_entries = {1, 1};
  bad[8].sink = std::as_bytes(std::span(infinite));
  for (size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectError(cluster_.coordinator().Attend(bad[i], Unhurried()).status(),
                StatusCode::kInvalidArgument, i == 8 ? "NOT_FINITE" : "BAD_FIELD");
  }
  EXPECT_EQ(cluster_.shard(0).calls<shard::Select>(), 0);
  EXPECT_TRUE(cluster_.coordinator().Attend(good, Unhurried()).ok());
}

TEST_P(QueryTest, AnEarlierSelectionTakesAsManyQueryRowsAsItHas) {
  const SampleQuery query = sample_.Query({kEntries, 9});
  const uint64_t id =
      cluster_.coordinator()
          .Select({.context = Name(), .layer = 1, .source = IndexQueryOf(query)}, Unhurried())
          .value()
          .selection.selection_id;
  for (const AttendPath path : {AttendPath::kGather, AttendPath::kPushDown}) {
    AttendQuery attend = AttendQueryOf(query, id, 2, path);
    attend.queries = attend.queries.first(attend.queries.size() / 2);
    ExpectError(cluster_.coordinator().Attend(attend, Unhurried()).status(),
                StatusCode::kInvalidArgument, "BAD_FIELD");
    attend = AttendQueryOf(query, id, 0, path);
    ExpectError(cluster_.coordinator().Attend(attend, Unhurried()).status(),
                StatusCode::kInvalidArgument, "BAD_FIELD");
  }
}

TEST(Query, ASharedLayerThatIsShortMustBeAppendedFirst) {
  LocalCluster cluster(2);
  Sample sample(TinyProfile({kOwn, kShared}), 100, kernels::TestSeed());
  cluster.Create(sample);
  const auto append = [&](int layer) {
    return cluster.coordinator().Append(
        {.context = Name(), .count = 100, .layers = {sample.Layer(layer, 0, 100)}}, Unhurried());
  };
  ASSERT_TRUE(append(0).ok());
  const SampleQuery query = sample.Query({100});
  const auto selection =
      cluster.coordinator()
          .Select({.context = Name(), .source = IndexQueryOf(query)}, Unhurried())
          .value()
          .selection;
  const AttendQuery attend = AttendQueryOf(query, selection.selection_id, 1);
  const absl::Status status = cluster.coordinator().Attend(attend, Unhurried()).status();
  ExpectError(status, StatusCode::kOutOfRange, "LAYER_SHORT");
  EXPECT_EQ(ErrorFacts(status)["layer"], "1");
  ASSERT_TRUE(append(1).ok());
  ExpectClose(cluster.coordinator().Attend(attend, Unhurried())->outputs,
              sample.Attended(query, selection.rows, 1).outputs);
}

TEST(Query, ASelectionThatIsNotHeldAnyMoreIsExpired) {
  LocalCluster cluster(2, true, {.max_selections = 1});
  Sample sample(TinyProfile(), 100, kernels::TestSeed());
  cluster.Load(sample, "a");
  cluster.Load(sample, "b");
  const SampleQuery query = sample.Query({100});
  const auto select = [&](const char* context) {
    return cluster.coordinator()
        .Select({.context = Name(context), .source = IndexQueryOf(query)}, Unhurried())
        .value()
        .selection.selection_id;
  };
  const auto attend = [&](uint64_t id) {
    return cluster.coordinator().Attend(AttendQueryOf(query, id, 0), Unhurried()).status();
  };
  const uint64_t first = select("a");
  EXPECT_TRUE(attend(first).ok());
  const uint64_t second = select("a");
  EXPECT_NE(second, first);
  ExpectError(attend(first), StatusCode::kNotFound, "SELECTION_EXPIRED");
  EXPECT_TRUE(attend(second).ok());
  // One of another context is as unknown as one that never was.
  ExpectError(attend(select("b")), StatusCode::kNotFound, "SELECTION_EXPIRED");
  ExpectError(attend(12345), StatusCode::kNotFound, "SELECTION_EXPIRED");
}

TEST(Query, CountsTheBytesThatCrossProcesses) {
  LocalCluster cluster(2, /*in_process=*/false);
  Sample sample(TinyProfile(), 5000, kernels::TestSeed());
  cluster.Load(sample);
  const SampleQuery query = sample.Query({5000});
  // Each shard: 64 + 8 bytes of query and 20 candidates of 8 bytes; then a threshold of 8 bytes.
  const uint64_t select_bytes = 2 * (64 + 8 + 160 + 8);
  const auto gathered =
      cluster.coordinator().Attend(AttendQueryOf(query, AttendPath::kGather), Unhurried()).value();
  EXPECT_EQ(gathered.stats.bytes_moved, select_bytes + 20 * (96 + 8));
  const auto pushed = cluster.coordinator()
                          .Attend(AttendQueryOf(query, AttendPath::kPushDown), Unhurried())
                          .value();
  EXPECT_EQ(pushed.stats.bytes_moved, select_bytes + 2 * (2 * 96 + 2 * 33 * 4));
  // 20 rows of 96 bytes are more than pushing down to two shards.
  const auto chosen = cluster.coordinator().Attend(AttendQueryOf(query), Unhurried()).value();
  EXPECT_EQ(chosen.stats.path, AttendPath::kPushDown);
}

}  // namespace
}  // namespace winnow::coordinator
