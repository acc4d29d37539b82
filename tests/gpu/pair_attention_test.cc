#include <gtest/gtest.h>

#include <cmath>

#include "tests/gpu/attention_case.h"
#include "tests/gpu/hard_cases.h"
#include "tests/gpu/test_device.h"
#include "tests/kernels/random_data.h"

// Attention over bf16 rows of 512 + 64 dims, which a pair of groups takes two blocks of 64 of at a
// time where the device has groups. fp8_attention_test.cc has the same of FlashMLA's rows.
namespace winnow::kernels::cuda {
namespace {

constexpr int kLatent = 512;
constexpr int kRope = 64;

class GpuPairAttentionTest : public GpuKernelTest {
 protected:
  static AttentionCase Case(int heads, std::vector<int> row_counts, float softmax_scale = 0.05f) {
    return {.heads = heads,
            .latent_dim = kLatent,
            .rope_dim = kRope,
            .softmax_scale = softmax_scale,
            .row_counts = std::move(row_counts)};
  }

  void ExpectAgrees(const AttentionCase& c, const AttentionInputs& in) {
    EXPECT_EQ(Disagreement(c, in, Evaluate(*device_, *backend_, c, in)), "");
  }
  void ExpectAgrees(const AttentionCase& c) { ExpectAgrees(c, RandomInputs(random_, c)); }

  RandomData random_{TestSeed()};
};

INSTANTIATE_TEST_SUITE_P(Device, GpuPairAttentionTest, testing::Bool(), DeviceKind);

TEST_P(GpuPairAttentionTest, AgreesAroundTheEdgesOfBlocks) {
  for (const int rows : {1, 63, 64, 65, 127, 128, 129, 193, 257})
    ExpectAgrees(Case(3, {rows, 0, 1}));
  for (const int heads : {1, 31, 32, 33, 63, 64, 65, 128}) ExpectAgrees(Case(heads, {130}));
}

// With so many query rows there are no splits: a block takes several pairs, and both stages of rows
// are brought again and again.
TEST_P(GpuPairAttentionTest, TakesManyPairsOfBlocks) {
  ExpectAgrees(Case(2, std::vector<int>(kMaxQueryRows, 130)));
  ExpectAgrees(Case(65, {1100, 960}));
}

TEST_P(GpuPairAttentionTest, AgreesWhereItIsHard) {
  for (const HardCase& hard : HardCases(random_, RowFormat::kBf16, 33)) {
    SCOPED_TRACE(hard.name);
    ExpectAgrees(hard.c, hard.in);
  }
}

TEST_P(GpuPairAttentionTest, TakesRowsAndQueriesOfAnyMagnitude) {
  for (const int exponent : {-60, -20, 20, 60}) {
    const AttentionCase c = Case(4, {90}, std::ldexp(0.05f, -2 * exponent));
    AttentionInputs in = RandomInputs(random_, c);
    ScaleBf16(&in.rows, [&](size_t) { return exponent; });
    ScaleBf16(&in.queries, [&](size_t) { return exponent; });
    ExpectAgrees(c, in);
  }
}

TEST_P(GpuPairAttentionTest, OfOneRowIsItsLatentPart) {
  const AttentionCase c = Case(3, {1});
  const AttentionInputs in = RandomInputs(random_, c);
  EXPECT_EQ(Disagreement(c, in, Evaluate(*device_, *backend_, c, in), 1e-5), "");
}

TEST_P(GpuPairAttentionTest, EqualCallsGiveEqualBits) {
  const AttentionCase c = Case(20, {300, 129});
  const AttentionInputs in = RandomInputs(random_, c);
  const AttentionResult once = Evaluate(*device_, *backend_, c, in);
  const AttentionResult again = Evaluate(*device_, *backend_, c, in);
  EXPECT_EQ(once.outputs, again.outputs);
  EXPECT_EQ(once.lse, again.lse);
}

}  // namespace
}  // namespace winnow::kernels::cuda
