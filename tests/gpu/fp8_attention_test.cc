#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "tests/gpu/attention_case.h"
#include "tests/gpu/hard_cases.h"
#include "tests/gpu/test_device.h"
#include "tests/kernels/random_data.h"

// Attention over FlashMLA's rows, 512 + 64 dims, for which devices that have groups of warps have
// kernels of their own: 64 heads of a block, 64 rows at a time by each of two groups.
namespace winnow::kernels::cuda {
namespace {

constexpr size_t kRopeAt = 512 + 4 * sizeof(float);

// By a pair of groups, or from registers; by warps is what other devices have.
enum class Way { kWarps, kPair, kCodes };

class GpuFp8AttentionTest : public GpuTest, public testing::WithParamInterface<Way> {
 protected:
  bool use_groups() const override { return GetParam() != Way::kWarps; }
  bool attend_by_codes() const override { return GetParam() == Way::kCodes; }
  void SetUp() override {
    GpuTest::SetUp();
    SkipWithoutGroups();
  }

  static AttentionCase Case(int heads, std::vector<int> row_counts, float softmax_scale = 0.05f) {
    return {.format = RowFormat::kFp8FlashMla,
            .heads = heads,
            .latent_dim = 512,
            .rope_dim = 64,
            .softmax_scale = softmax_scale,
            .row_counts = std::move(row_counts)};
  }

  void ExpectAgrees(const AttentionCase& c, const AttentionInputs& in) {
    EXPECT_EQ(Disagreement(c, in, Evaluate(*device_, *backend_, c, in)), "");
  }
  void ExpectAgrees(const AttentionCase& c) { ExpectAgrees(c, RandomInputs(random_, c)); }

  RandomData random_{TestSeed()};
};

std::string WayName(const testing::TestParamInfo<Way>& way) {
  constexpr std::array kNames = {"ByWarps", "ByPair", "ByCodes"};
  return kNames[static_cast<size_t>(way.param)];
}
INSTANTIATE_TEST_SUITE_P(Device, GpuFp8AttentionTest,
                         testing::Values(Way::kWarps, Way::kPair, Way::kCodes), WayName);

TEST_P(GpuFp8AttentionTest, AgreesAroundTheEdgesOfBlocks) {
  for (const int rows : {1, 63, 64, 65, 127, 128, 129, 193, 257})
    ExpectAgrees(Case(3, {rows, 0, 1}));
  for (const int heads : {1, 31, 32, 33, 63, 64, 65, 128}) ExpectAgrees(Case(heads, {130}));
}

TEST_P(GpuFp8AttentionTest, AgreesWhereItIsHard) {
  for (const HardCase& hard : HardCases(random_, RowFormat::kFp8FlashMla, 33)) {
    SCOPED_TRACE(hard.name);
    ExpectAgrees(hard.c, hard.in);
  }
}

TEST_P(GpuFp8AttentionTest, TakesScalesThatDifferWithinARow) {
  const AttentionCase c = Case(17, {200}, 1e-3f);
  AttentionInputs in = RandomInputs(random_, c);
  ChangeScales(&in, [](int row, int i) { return std::ldexp(1.0f, (3 * row + 5 * i) % 13 - 6); });
  ExpectAgrees(c, in);
}

TEST_P(GpuFp8AttentionTest, TakesScalesOfAnyMagnitude) {
  for (const int exponent : {-110, -60, 0, 60, 100}) {
    // Logits stay where they are, but for those of rope dims, which are taken out.
    const AttentionCase c = Case(9, {100}, std::ldexp(0.05f, exponent > 0 ? -exponent : 0));
    AttentionInputs in = RandomInputs(random_, c);
    ChangeScales(&in, [&](int, int) { return std::ldexp(1.0f, exponent); });
    const size_t row_bytes = RowBytes(RowFormat::kFp8FlashMla, 512, 64);
    for (size_t at = kRopeAt; at < in.rows.size(); at += row_bytes) {
      std::memset(&in.rows[at], 0, row_bytes - kRopeAt);
    }
    ExpectAgrees(c, in);
  }
}

TEST_P(GpuFp8AttentionTest, TakesRowsOfZeros) {
  const AttentionCase c = Case(9, {200});
  AttentionInputs in = RandomInputs(random_, c);
  ChangeScales(&in, [](int row, int i) { return row < 70 || i == row % 4 ? 0.0f : 1.0f; });
  ExpectAgrees(c, in);
}

// One block's scales are far from the next one's, either way around, and all logits alike: each row
// counts in the LSE, whatever its scale.
TEST_P(GpuFp8AttentionTest, TakesScalesThatDifferBetweenBlocks) {
  for (const int first : {0, 1}) {
    const AttentionCase c = Case(9, {256}, 1e-30f);
    AttentionInputs in = RandomInputs(random_, c);
    ChangeScales(&in, [&](int row, int) { return row / 64 % 2 == first ? 0x1p60f : 0x1p-40f; });
    ExpectAgrees(c, in);
  }
}

TEST_P(GpuFp8AttentionTest, TakesQueriesOfAnyMagnitude) {
  for (const int exponent : {-100, -20, 20, 90}) {
    const AttentionCase c = Case(4, {90}, std::ldexp(0.05f, -exponent));
    AttentionInputs in = RandomInputs(random_, c);
    ScaleBf16(&in.queries, [&](size_t) { return exponent; });
    ExpectAgrees(c, in);
  }
}

}  // namespace
}  // namespace winnow::kernels::cuda
