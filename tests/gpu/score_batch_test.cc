#include <gtest/gtest.h>

#include <atomic>
#include <deque>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/score_plan.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/fake_device.h"
#include "tests/gpu/score_case.h"
#include "tests/kernels/random_data.h"

// Queries of several contexts in one call.
namespace winnow::kernels::cuda {
namespace {

using Call = FakeDevice::Call;

constexpr int kDim = 64;
constexpr int kHeads = 5;
constexpr int kLaunchesOfOne = 2;  // score, select

// Contexts of different lengths, rows and k, alike in what one call asks for.
class ScoreBatchTest : public testing::Test {
 protected:
  void Add(int rows, int entries, int k, KeyFormat format = KeyFormat::kFp8E4M3) {
    cases_.emplace_back(device_, RandomScoreCase(random_, format, kDim, kHeads, rows, entries, k));
  }

  std::vector<ScoreRunsParams> Queries() const {
    std::vector<ScoreRunsParams> queries;
    for (const PlacedCase& placed : cases_) queries.push_back(placed.run_params());
    return queries;
  }

  std::unique_ptr<CudaBackend> Backend(size_t workspace_bytes = size_t{32} << 20) {
    std::unique_ptr<CudaBackend> backend;
    EXPECT_EQ(CudaBackend::Create(device_,
                                  {.concurrent_queries = 1,
                                   .workspace_bytes = workspace_bytes,
                                   .pinned_bytes = size_t{1} << 20},
                                  &backend),
              "");
    return backend;
  }

  // Each as it is found alone, bit for bit.
  void ExpectAsAlone(const CudaBackend& backend, const std::vector<ScoreTopKResult>& together) {
    const std::vector<ScoreRunsParams> queries = Queries();
    for (size_t i = 0; i < queries.size(); ++i) {
      ScoreTopKResult alone;
      ASSERT_EQ(backend.TryScoreRuns({&queries[i], 1}, {&alone, 1}), "");
      EXPECT_TRUE(together[i].complete);
      EXPECT_EQ(together[i].selected, alone.selected) << i;
      EXPECT_EQ(Disagreement(cases_[i].c, together[i].selected), "") << i;
    }
  }

  RandomData random_{TestSeed()};
  FakeDevice device_{TestSeed(), 7};
  std::deque<PlacedCase> cases_;
};

TEST_F(ScoreBatchTest, FindsForEachContextWhatItFindsAlone) {
  Add(1, 1500, 100);
  Add(3, 70, 200);
  Add(2, 0, 10);
  Add(9, 333, 7);
  const auto backend = Backend();
  std::vector<ScoreTopKResult> results(cases_.size());
  ASSERT_EQ(backend->TryScoreRuns(Queries(), results), "");
  EXPECT_EQ(device_.calls(Call::kLaunch), kLaunchesOfOne);
  ExpectAsAlone(*backend, results);
}

TEST_F(ScoreBatchTest, TakesMoreContextsThanALaunchHasJobs) {
  for (int i = 0; i < kMostScoreJobs + 3; ++i) Add(1, random_.Int(1, 200), 20);
  const auto backend = Backend();
  std::vector<ScoreTopKResult> results(cases_.size());
  ASSERT_EQ(backend->TryScoreRuns(Queries(), results), "");
  EXPECT_EQ(device_.calls(Call::kLaunch), 2 * kLaunchesOfOne);
  ExpectAsAlone(*backend, results);
}

TEST_F(ScoreBatchTest, MakesMoreLaunchesWhereTheWorkspaceIsSmall) {
  for (int i = 0; i < 5; ++i) Add(2, random_.Int(400, 900), 20);
  const auto backend = Backend(1000000);
  std::vector<ScoreTopKResult> results(cases_.size());
  ASSERT_EQ(backend->TryScoreRuns(Queries(), results), "");
  EXPECT_GT(device_.calls(Call::kLaunch), kLaunchesOfOne);
  ExpectAsAlone(*backend, results);
}

TEST_F(ScoreBatchTest, TheStatesOfSmallContextsLeaveRoomForALargeOne) {
  constexpr int kPages = 4688;
  constexpr size_t kInputsAndOutputs = 90000;
  for (int i = 0; i < 10; ++i) Add(1, 5, 5);
  Add(1, kPages * kPageEntries, 5);
  const auto backend = Backend(ScoreWorkspaceBytesPerRow(kPages) + kInputsAndOutputs);
  std::vector<ScoreTopKResult> results(cases_.size());
  ASSERT_EQ(backend->TryScoreRuns(Queries(), results), "");
  ExpectAsAlone(*backend, results);
}

TEST_F(ScoreBatchTest, LeavesOutWhatWasCancelledAlone) {
  Add(1, 100, 10);
  Add(1, 200, 10);
  const auto backend = Backend();
  std::vector<ScoreRunsParams> queries = Queries();
  const std::atomic<bool> cancelled = true;
  queries[0].cancelled = &cancelled;
  std::vector<ScoreTopKResult> results(2);
  ASSERT_EQ(backend->TryScoreRuns(queries, results), "");
  EXPECT_FALSE(results[0].complete);
  EXPECT_TRUE(results[0].selected[0].empty());
  EXPECT_TRUE(results[1].complete);
  EXPECT_EQ(Disagreement(cases_[1].c, results[1].selected), "");
}

TEST_F(ScoreBatchTest, RefusesQueriesThatAreNotAlike) {
  Add(1, 100, 10);
  Add(1, 100, 10, KeyFormat::kInt8);
  std::vector<ScoreTopKResult> results(2);
  EXPECT_NE(Backend()->TryScoreRuns(Queries(), results).find("differ"), std::string::npos);
  EXPECT_FALSE(results[0].complete);
}

}  // namespace
}  // namespace winnow::kernels::cuda
