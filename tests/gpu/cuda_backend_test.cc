#include "kernels/cuda/cuda_backend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "kernels/cuda/score_plan.h"
#include "kernels/cuda/simulator/simulated_kernels.h"
#include "tests/gpu/fake_device.h"
#include "tests/gpu/score_case.h"
#include "tests/gpu/test_device.h"

namespace winnow::kernels::cuda {
namespace {

using Call = FakeDevice::Call;

constexpr CudaBackendOptions kSmall = {
    .concurrent_queries = 2, .workspace_bytes = size_t{4} << 20, .pinned_bytes = size_t{1} << 20};

std::unique_ptr<CudaBackend> MakeBackend(DeviceApi& device,
                                         const CudaBackendOptions& options = kSmall) {
  std::unique_ptr<CudaBackend> backend;
  EXPECT_EQ(CudaBackend::Create(device, options, &backend), "");
  return backend;
}

Error Score(const CudaBackend& backend, const ScoreRunsParams& params, ScoreTopKResult* result) {
  return backend.TryScoreRuns({&params, 1}, {result, 1});
}

class CudaBackendTest : public testing::Test {
 protected:
  ScoreCase SmallCase() { return RandomScoreCase(random_, KeyFormat::kFp8E4M3, 64, 5, 2, 300, 20); }
  RandomData random_{TestSeed()};
};

TEST_F(CudaBackendTest, ScoresDoNotDependOnHowWorkIsDivided) {
  const ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 64, 7, 2, 3000, 300);
  Selection first;
  for (const int multiprocessors : {1, 2, 7, 132}) {
    FakeDevice device(TestSeed() + multiprocessors, multiprocessors);
    device.UseThreads(multiprocessors == 7 ? 3 : 1);
    if (multiprocessors == 2) device.LimitSharedMemory(size_t{100} << 10);
    const Selection got = Evaluate(device, *MakeBackend(device), c);
    if (first.empty()) first = got;
    EXPECT_EQ(got, first);
  }
  EXPECT_EQ(Disagreement(c, first), "");
}

TEST_F(CudaBackendTest, RowsTakeSeveralPassesWhereTheWorkspaceIsSmall) {
  const ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 32, 3, 9, 500, 30);
  FakeDevice device(TestSeed());
  const auto backend = MakeBackend(
      device, {.concurrent_queries = 1, .workspace_bytes = 400000, .pinned_bytes = 100000});
  EXPECT_EQ(Disagreement(c, Evaluate(device, *backend, c)), "");
  EXPECT_EQ(device.calls(Call::kLaunch), 9 * 2);
}

TEST_F(CudaBackendTest, SaysHowMuchMemoryAQueryNeeds) {
  const ScoreCase c = SmallCase();
  FakeDevice device(TestSeed());
  const PlacedCase placed(device, c);
  ScoreTopKResult result;
  const auto small_workspace = MakeBackend(
      device, {.concurrent_queries = 1, .workspace_bytes = 200000, .pinned_bytes = 100000});
  EXPECT_NE(Score(*small_workspace, placed.run_params(), &result).find("workspace of"),
            std::string::npos);
  const auto small_staging = MakeBackend(
      device, {.concurrent_queries = 1, .workspace_bytes = size_t{4} << 20, .pinned_bytes = 300});
  EXPECT_NE(Score(*small_staging, placed.run_params(), &result).find("pinned memory"),
            std::string::npos);
}

TEST_F(CudaBackendTest, ReportsEveryKindOfFailureAndGoesOn) {
  const ScoreCase c = SmallCase();
  FakeDevice device(TestSeed());
  device.DelayWork(true);
  const auto backend = MakeBackend(device);
  const PlacedCase placed(device, c);
  ScoreTopKResult result;
  for (const auto& [call, n] : std::vector<std::pair<Call, int>>{{Call::kCopy, 1},
                                                                 {Call::kCopy, 2},
                                                                 {Call::kLaunch, 1},
                                                                 {Call::kLaunch, 2},
                                                                 {Call::kRecord, 1},
                                                                 {Call::kSynchronize, 1}}) {
    device.Fail(call, n);
    EXPECT_NE(Score(*backend, placed.run_params(), &result), "");
    EXPECT_FALSE(result.complete);
    ASSERT_EQ(Score(*backend, placed.run_params(), &result), "");
    EXPECT_EQ(Disagreement(c, result.selected), "");
  }
}

TEST_F(CudaBackendTest, LeavesNothingBehindWhenItCannotBeMade) {
  FakeDevice device(TestSeed());
  for (const Call call :
       {Call::kCreateStream, Call::kCreateEvent, Call::kAllocate, Call::kAllocatePinned}) {
    for (int n = 1; n <= 2; ++n) {
      device.Fail(call, n);
      std::unique_ptr<CudaBackend> backend;
      EXPECT_NE(CudaBackend::Create(device, kSmall, &backend), "");
      EXPECT_EQ(device.live(), 0u);
    }
  }
  device.LimitMemory(kSmall.workspace_bytes);
  std::unique_ptr<CudaBackend> backend;
  EXPECT_NE(CudaBackend::Create(device, kSmall, &backend).find("out of memory"), std::string::npos);
  EXPECT_EQ(device.live(), 0u);
}

TEST_F(CudaBackendTest, StopsWhenCancelled) {
  FakeDevice device(TestSeed());
  const auto backend = MakeBackend(device);
  const PlacedCase placed(device, SmallCase());
  const std::atomic<bool> cancelled = true;
  ScoreTopKResult result;
  EXPECT_EQ(Score(*backend, placed.run_params(&cancelled), &result), "");
  EXPECT_FALSE(result.complete);
  EXPECT_EQ(device.calls(Call::kLaunch), 0);
}

TEST_F(CudaBackendTest, ServesMoreQueriesThanItHasStreams) {
  const ScoreCase c = SmallCase();
  FakeDevice device(TestSeed());
  device.DelayWork(true);
  const auto backend = MakeBackend(device);
  const PlacedCase placed(device, c);
  std::vector<ScoreTopKResult> results(9);
  {
    std::vector<std::jthread> threads;
    for (ScoreTopKResult& result : results) {
      threads.emplace_back([&] { EXPECT_EQ(Score(*backend, placed.run_params(), &result), ""); });
    }
  }
  for (const ScoreTopKResult& result : results) EXPECT_EQ(result.selected, results[0].selected);
  EXPECT_EQ(Disagreement(c, results[0].selected), "");
}

TEST_F(CudaBackendTest, AQuerySeesKeysAppendedBefore) {
  FakeDevice device(TestSeed());
  device.DelayWork(true);
  std::unique_ptr<UploadQueue> uploads;
  ASSERT_EQ(UploadQueue::Create(device, 1000, 2, &uploads), "");
  CudaBackendOptions options = kSmall;
  options.uploads = uploads.get();
  const auto backend = MakeBackend(device, options);
  PlacedCase placed(device, SmallCase());
  const ScoreCase later = SmallCase();
  placed.c = later;
  const PagedKeys arranged(later.format, later.dim, later.keys);
  ASSERT_EQ(uploads->Upload(placed.memory.data(), {arranged.page(0), placed.memory.size()},
                            placed.memory.data()),
            "");
  ASSERT_EQ(uploads->Flush(), "");
  ScoreTopKResult result;
  ASSERT_EQ(Score(*backend, placed.run_params(), &result), "");
  EXPECT_EQ(Disagreement(later, result.selected), "");
}

TEST_F(CudaBackendTest, SendsNoMoreForAFullRunThanForAnEntry) {
  FakeDevice device(TestSeed());
  const auto backend = MakeBackend(device);
  const auto sent_for = [&](int entries, bool listed_on_device) {
    const PlacedCase placed(device,
                            RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, 1, entries, 9));
    std::vector<KeyRun> runs = placed.runs;
    for (KeyRun& run : runs) {
      if (!listed_on_device) run.on_device = nullptr;
    }
    const size_t before = device.sent_bytes();
    ScoreTopKResult result;
    EXPECT_EQ(Score(*backend, placed.RunParams(runs), &result), "");
    EXPECT_EQ(Disagreement(placed.c, result.selected), "");
    return device.sent_bytes() - before;
  };
  constexpr int kRunEntries = kRunPages * kPageEntries;
  const size_t least = sent_for(1, true);
  EXPECT_EQ(sent_for(kRunEntries, true), least);
  EXPECT_EQ(sent_for(2 * kRunEntries + 1, true), least) << "the lists of runs are rounded up";
  EXPECT_GE(sent_for(kRunEntries, false), least + kRunPages * sizeof(void*));
}

// Blocks run one after another here, so a floor is as fresh as can be.
TEST_F(CudaBackendTest, ScoringKeepsFewOfMany) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 8, 1, 50000, 64);
  for (float& weight : c.weights) weight = std::abs(weight);
  FakeDevice device(TestSeed(), 1);
  const PlacedCase placed(device, c);
  std::vector<DeviceRun> runs;
  for (const KeyRun& run : placed.runs) {
    runs.push_back({run.on_device, run.first_position, run.entries});
  }
  ScorePlan plan;
  ASSERT_EQ(PlanScore(device.properties().limits,
                      {.format = c.format,
                       .heads = c.heads,
                       .dim = c.dim,
                       .most_k = static_cast<uint32_t>(c.k)},
                      &plan),
            "");
  RowState state{};
  std::vector<CandidateKey> kept(kPageEntries * placed.addresses.size());
  std::vector<CandidateKey> list(kListCapacity);
  const ScoreRow row = {c.visible[0], static_cast<uint32_t>(c.k), kept.data(), list.data(),
                        nullptr};
  ScoreArgs args{.format = c.format,
                 .by_groups = plan.by_groups,
                 .stages = plan.stages,
                 .heads = c.heads,
                 .dim = c.dim,
                 .rows = &row,
                 .queries = c.queries.data(),
                 .weights = c.weights.data(),
                 .states = &state,
                 .job_count = 1};
  args.jobs[0] = {.runs = runs.data(),
                  .page_count = static_cast<uint32_t>(placed.addresses.size()),
                  .page_bits = kRunPageBits,
                  .first_row = 0,
                  .rows = 1};
  plan.score.blocks_x = DivideBlocks(plan, c.dim, {args.jobs, 1});
  ASSERT_EQ(simulator::RunKernel(plan.score, args, {.seed = TestSeed()}), "");
  EXPECT_GE(state.listed, 64u);
  EXPECT_LT(state.listed, 2000u);
}

}  // namespace
}  // namespace winnow::kernels::cuda
