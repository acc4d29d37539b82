#include "client/winnowctl/stats.h"

#include <gtest/gtest.h>

namespace winnow::ctl {
namespace {

using client::AttendPath;
using client::CallStats;

TEST(Percentile, IsTheNearestRank) {
  // The classic example of the nearest-rank method.
  const std::vector<double> values = {35, 20, 15, 50, 40};
  EXPECT_EQ(Percentile(values, 0.05), 15);
  EXPECT_EQ(Percentile(values, 0.30), 20);
  EXPECT_EQ(Percentile(values, 0.40), 20);
  EXPECT_EQ(Percentile(values, 0.50), 35);
  EXPECT_EQ(Percentile(values, 0.99), 50);
  EXPECT_EQ(Percentile(values, 1.00), 50);
  EXPECT_EQ(Percentile(values, 0.00), 15);
}

TEST(Percentile, OfAnEvenNumberIsTheLowerMiddle) { EXPECT_EQ(Percentile({4, 1, 3, 2}, 0.5), 2); }

TEST(Percentile, OfAHundredIsTheOneOfThatRank) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  for (const int rank : {1, 50, 99, 100}) EXPECT_EQ(Percentile(values, rank / 100.0), rank);
  EXPECT_EQ(Percentile(values, 0.501), 51);
}

TEST(Percentile, OfOneIsThatAndOfNoneIsZero) {
  EXPECT_EQ(Percentile({7}, 0.5), 7);
  EXPECT_EQ(Percentile({7}, 0.99), 7);
  EXPECT_EQ(Percentile({}, 0.5), 0);
}

TEST(CallLog, AddsUpAndTakesMedians) {
  CallLog log;
  log.Add(100, {.entries_scanned = 10, .bytes_moved = 1, .total_us = 60, .plan_us = 3});
  log.Add(300, {.entries_scanned = 20, .bytes_moved = 2, .total_us = 80, .plan_us = 1});
  log.Add(200, {.entries_scanned = 40, .bytes_moved = 4, .total_us = 70, .plan_us = 9});
  EXPECT_EQ(log.calls(), 3u);
  EXPECT_EQ(log.p50_us(), 200);
  EXPECT_EQ(log.p99_us(), 300);
  EXPECT_EQ(log.entries_scanned(), 70u);
  EXPECT_EQ(log.bytes_moved(), 7u);
  const auto stages = log.Stages();
  EXPECT_EQ(stages["plan"], 3);
  EXPECT_EQ(stages["service_total"], 70);
  EXPECT_EQ(stages["client_and_wire"], 130);
}

TEST(CallLog, AddsUpWhatWasCold) {
  CallLog log;
  log.Add(1, {.cold_index_bytes = 100, .cold_rows = 10, .cached_rows = 1});
  log.Add(1, {.cold_index_bytes = 200, .cold_rows = 20, .cached_rows = 2});
  EXPECT_EQ(log.cold_index_bytes(), 300u);
  EXPECT_EQ(log.cold_rows(), 30u);
  EXPECT_EQ(log.cached_rows(), 3u);
}

TEST(CallLog, EveryStageIsItsOwn) {
  CallLog log;
  log.Add(1000, {.total_us = 100,
                 .plan_us = 1,
                 .select_us = 2,
                 .score_us = 3,
                 .merge_us = 4,
                 .fetch_us = 5,
                 .shard_attend_us = 6,
                 .attend_us = 7,
                 .score_us_sum = 8});
  const nlohmann::ordered_json expected = {{"plan", 1.0},
                                           {"select", 2.0},
                                           {"score_slowest_shard", 3.0},
                                           {"score_all_shards", 8.0},
                                           {"merge", 4.0},
                                           {"fetch", 5.0},
                                           {"shard_attend_slowest_shard", 6.0},
                                           {"attend", 7.0},
                                           {"service_total", 100.0},
                                           {"client_and_wire", 900.0}};
  EXPECT_EQ(log.Stages(), expected);
}

TEST(CallLog, TimeOutsideTheServiceIsNeverNegative) {
  CallLog log;
  log.Add(10, {.total_us = 50});
  EXPECT_EQ(log.Stages()["client_and_wire"], 0);
}

TEST(CallLog, KernelTimeIsScoringAndWhereverAttentionRan) {
  const CallStats gather = {
      .path = AttendPath::kGather, .fetch_us = 1000, .attend_us = 5, .score_us_sum = 100};
  CallStats push_down = gather;
  push_down.path = AttendPath::kPushDown;
  CallLog of_gather, of_push_down;
  of_gather.Add(1, gather);
  of_push_down.Add(1, push_down);
  EXPECT_EQ(of_gather.kernel_p50_us(), 105);
  EXPECT_EQ(of_push_down.kernel_p50_us(), 1100);
}

TEST(CallLog, OfNoCallsIsZero) {
  EXPECT_EQ(CallLog().p99_us(), 0);
  EXPECT_EQ(CallLog().kernel_p50_us(), 0);
  EXPECT_EQ(CallLog().Stages()["service_total"], 0);
}

}  // namespace
}  // namespace winnow::ctl
