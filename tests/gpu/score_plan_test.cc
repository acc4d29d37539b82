#include "kernels/cuda/score_plan.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/cuda/score_block.h"

namespace winnow::kernels::cuda {
namespace {

constexpr DeviceLimits kHopper = {132, size_t{227} << 10, size_t{228} << 10, true};

ScorePlan PlanOf(const ScoreShape& shape, const DeviceLimits& limits = kHopper) {
  ScorePlan plan;
  EXPECT_EQ(PlanScore(limits, shape, &plan), "");
  return plan;
}

ScoreJob Job(uint32_t pages, int rows = 1) {
  return {.runs = nullptr, .page_count = pages, .page_bits = 0, .first_row = 0, .rows = rows};
}

TEST(ScorePlan, AMillionKeysTakeTheWholeDevice) {
  const ScorePlan plan = PlanOf({.heads = 64, .most_k = 2048});
  EXPECT_EQ(plan.score.threads, GroupThreads(128));
  std::vector<ScoreJob> jobs = {Job(16384)};
  EXPECT_EQ(DivideBlocks(plan, 128, jobs), 132);
}

TEST(ScorePlan, EightRowsOfAPublishedModelShareAJob) {
  EXPECT_EQ(PlanOf({.heads = 64, .most_rows = 64, .most_k = 2048}).rows_per_job, 8);
}

TEST(ScorePlan, BlocksFollowPagesAndRows) {
  const ScorePlan plan = PlanOf({.heads = 64, .most_rows = 4, .most_k = 2048});
  std::vector<ScoreJob> jobs = {Job(8000), Job(2000, 4), Job(4000), Job(1)};
  const int blocks = DivideBlocks(plan, 128, jobs);
  EXPECT_EQ(jobs[0].blocks, jobs[1].blocks);
  EXPECT_NEAR(jobs[0].blocks, 2 * jobs[2].blocks, 1);
  EXPECT_EQ(jobs[3].blocks, 1);
  int next = 0;
  for (const ScoreJob& job : jobs) {
    EXPECT_EQ(job.first_block, next);
    next += job.blocks;
  }
  EXPECT_EQ(next, blocks);
  EXPECT_LE(blocks, 132 + 1);
}

TEST(ScorePlan, AJobHasNoMoreGroupsThanPages) {
  const ScorePlan plan = PlanOf({.heads = 64, .most_k = 2048});
  std::vector<ScoreJob> jobs = {Job(5)};
  // A group of four warps takes a page, and a block has three groups.
  EXPECT_EQ(DivideBlocks(plan, 128, jobs), 2);
}

TEST(ScorePlan, TakesFewerWarpsWhereSharedMemoryIsSmall) {
  const DeviceLimits small = {80, size_t{99} << 10, size_t{100} << 10, false};
  const ScorePlan plan = PlanOf({.heads = 64, .most_rows = 8, .most_k = 2048}, small);
  EXPECT_LT(plan.score.threads, 512);
  EXPECT_GE(plan.rows_per_job, 4);
  EXPECT_LE(plan.score.shared_bytes, small.shared_bytes_per_block);
}

TEST(ScorePlan, SaysWhatDoesNotFit) {
  ScorePlan plan;
  const DeviceLimits tiny = {1, size_t{20} << 10, size_t{21} << 10, false};
  EXPECT_NE(
      PlanScore(tiny, {.heads = 128, .dim = 256, .most_k = 5}, &plan).find("128 heads of 256"),
      std::string::npos);
}

}  // namespace
}  // namespace winnow::kernels::cuda
