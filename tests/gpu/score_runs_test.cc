#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "tests/gpu/score_case.h"
#include "tests/gpu/test_device.h"

// Runs of pages in all their lengths, and wherever their pages' addresses are listed.
namespace winnow::kernels::cuda {
namespace {

constexpr uint32_t kRunEntries = kRunPages * kPageEntries;

class GpuScoreRunsTest : public GpuKernelTest {
 protected:
  ScoreCase Case(int entries, int k, int rows = 1) {
    return RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, rows, entries, k);
  }
  Selection Select(const ScoreRunsParams& params) {
    ScoreTopKResult result;
    EXPECT_EQ(backend_->TryScoreRuns({&params, 1}, {&result, 1}), "");
    return result.selected;
  }

  RandomData random_{TestSeed()};
};

INSTANTIATE_TEST_SUITE_P(Device, GpuScoreRunsTest, testing::Bool(), DeviceKind);

TEST_P(GpuScoreRunsTest, AgreesAtEveryCountAroundAPageAndARun) {
  for (const uint32_t edge : {uint32_t{kPageEntries}, kRunEntries, 2 * kRunEntries}) {
    for (const uint32_t entries : {edge - 1, edge, edge + 1, edge + kPageEntries}) {
      ScoreCase c = Case(static_cast<int>(entries), 50, 2);
      c.visible = {entries, entries - 1};
      EXPECT_EQ(Disagreement(c, Evaluate(*device_, *backend_, c)), "") << entries;
    }
  }
}

TEST_P(GpuScoreRunsTest, ReadsNothingThatNoRowSees) {
  const ScoreCase all = Case(3 * kRunEntries, 40, 2);
  for (const uint32_t visible : {1u, 65u, kRunEntries, kRunEntries + 1, 2 * kRunEntries - 1}) {
    ScoreCase c = all;
    c.visible = {visible, visible / 2};
    PlacedCase placed(*device_, c);
    // Its list is null, and so is that of a run that is seen in part, from there on.
    const size_t seen = (visible + kPageEntries - 1) / kPageEntries;
    std::fill(placed.addresses.begin() + static_cast<ptrdiff_t>(seen), placed.addresses.end(),
              nullptr);
    const DeviceArray<const std::byte*> table(*device_, placed.addresses);
    for (size_t i = 0; i < placed.runs.size(); ++i) {
      placed.runs[i].on_device = i * kRunPages < seen ? table.data() + i * kRunPages : nullptr;
    }
    EXPECT_EQ(Disagreement(c, Select(placed.run_params())), "") << visible;
  }
}

TEST_P(GpuScoreRunsTest, ItDoesNotMatterWhereThePagesAreListed) {
  const PlacedCase placed(*device_, Case(2 * kRunEntries + 333, 200));
  const Selection expected = Select(placed.run_params());
  EXPECT_EQ(Disagreement(placed.c, expected), "");
  std::vector<KeyRun> runs = placed.runs;
  for (size_t listed = 0; listed < runs.size(); ++listed) {
    runs[listed].on_device = nullptr;
    EXPECT_EQ(Select(placed.RunParams(runs)), expected) << listed + 1 << " on the host";
  }
  runs[1].on_device = placed.runs[1].on_device;
  EXPECT_EQ(Select(placed.RunParams(runs)), expected) << "on the host and on the device in turn";
}

TEST_P(GpuScoreRunsTest, RunsOfAnyLengthsGiveTheSameSelection) {
  const ScoreCase whole = Case(kRunEntries + 700, 300);
  const size_t key_bytes = KeyBytes(whole.format, whole.dim);
  std::deque<PlacedCase> parts;
  std::vector<KeyRun> runs;
  // Some end within a page, one is as long as can be, and the last is seen in part.
  uint32_t first = 0;
  for (const uint32_t end : {1u, 66u, 130u, kRunEntries + 130, kRunEntries + 699}) {
    ScoreCase part = whole;
    part.keys.assign(whole.keys.begin() + static_cast<ptrdiff_t>(first * key_bytes),
                     whole.keys.begin() + static_cast<ptrdiff_t>(end * key_bytes));
    KeyRun run = parts.emplace_back(*device_, part).runs.at(0);
    run.first_position = first;
    if (first == 66) run.on_device = nullptr;
    runs.push_back(run);
    first = end;
  }
  ScoreCase cut = whole;
  cut.visible = {kRunEntries + 690};
  const PlacedCase placed(*device_, cut);
  const Selection expected = Select(placed.run_params());
  EXPECT_EQ(Select(placed.RunParams(runs)), expected);
  EXPECT_EQ(Disagreement(cut, expected), "");
}

TEST_P(GpuScoreRunsTest, ServesSeveralContextsAtOnce) {
  const std::vector<ScoreCase> cases = {Case(kRunEntries + 5, 100), Case(70, 200, 3), Case(0, 10),
                                        Case(333, 7, 9), Case(kPageEntries, kPageEntries)};
  EXPECT_EQ(DisagreementTogether(*device_, *backend_, cases), "");
}

}  // namespace
}  // namespace winnow::kernels::cuda
