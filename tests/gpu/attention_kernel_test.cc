#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "tests/gpu/attention_case.h"
#include "tests/gpu/test_device.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels::cuda {
namespace {

class GpuAttentionTest : public GpuKernelTest {
 protected:
  AttentionResult OnDevice(const AttentionCase& c, const AttentionInputs& in) {
    return Evaluate(*device_, *backend_, c, in);
  }

  void ExpectAgrees(const AttentionCase& c, double relative = 2e-3) {
    const AttentionInputs in = RandomInputs(random_, c);
    EXPECT_EQ(Disagreement(c, in, OnDevice(c, in), relative), "");
  }

  RandomData random_{TestSeed()};
};

INSTANTIATE_TEST_SUITE_P(Device, GpuAttentionTest, testing::Bool(), DeviceKind);

TEST_P(GpuAttentionTest, AgreesWithTheReferenceOnRandomShapes) {
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    for (int round = 0; round < 6; ++round) {
      AttentionCase c{.format = format, .heads = random_.Int(1, 70)};
      c.latent_dim = format == RowFormat::kBf16 ? 32 * random_.Int(1, 12) : 128 * random_.Int(1, 3);
      c.rope_dim = 16 * random_.Int(0, 4);
      c.softmax_scale = 0.03f;
      c.row_counts.clear();
      for (int q = random_.Int(1, 3); q > 0; --q) c.row_counts.push_back(random_.Int(0, 150));
      ExpectAgrees(c);
    }
  }
}

TEST_P(GpuAttentionTest, AgreesAtEveryNumberOfLatentTiles) {
  for (const int latent : {32, 64, 96, 128, 256, 384, 512, 544, 1024}) {
    for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
      if (format == RowFormat::kFp8FlashMla && latent % kLatentScaleGroup != 0) continue;
      ExpectAgrees({.format = format,
                    .heads = 17,
                    .latent_dim = latent,
                    .rope_dim = 16,
                    .softmax_scale = 0.03f,
                    .row_counts = {33, 1}});
    }
  }
}

TEST_P(GpuAttentionTest, AgreesOnThePublishedShape) {
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    ExpectAgrees({.format = format,
                  .heads = 16,
                  .latent_dim = 512,
                  .rope_dim = 64,
                  .softmax_scale = 0.0722f,
                  .row_counts = {700, 64}});
  }
}

// 256 and 512 latent dims are what groups multiply; odd numbers of heads, rows and rope steps.
TEST_P(GpuAttentionTest, AgreesAroundTheEdgesOfBlocks) {
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    for (const auto& [heads, latent, rope, rows] : {std::array{1, 256, 0, 63},
                                                    {65, 256, 16, 64},
                                                    {63, 512, 48, 65},
                                                    {64, 512, 80, 129},
                                                    {2, 256, 256, 31}}) {
      ExpectAgrees({.format = format,
                    .heads = heads,
                    .latent_dim = latent,
                    .rope_dim = rope,
                    .softmax_scale = 0.05f,
                    .row_counts = {rows, 0, 1}});
    }
  }
}

TEST_P(GpuAttentionTest, AgreesAtTheLargestShape) {
  ExpectAgrees({.heads = kMaxQueryHeads,
                .latent_dim = kMaxLatentDim,
                .rope_dim = kMaxRopeDim,
                .softmax_scale = 0.02f,
                .row_counts = {20}});
}

TEST_P(GpuAttentionTest, OfNoRowsIsZeroWithAnEmptyLse) {
  const AttentionCase c{.row_counts = {0, 0}};
  const AttentionResult none = OnDevice(c, RandomInputs(random_, c));
  for (const float value : none.outputs) EXPECT_EQ(value, 0);
  for (const float value : none.lse) EXPECT_EQ(value, -std::numeric_limits<float>::infinity());
}

TEST_P(GpuAttentionTest, OfOneRowIsItsLatentPart) {
  ExpectAgrees({.heads = 3, .row_counts = {1}}, 1e-4);
  ExpectAgrees({.format = RowFormat::kFp8FlashMla, .heads = 3, .row_counts = {1}}, 1e-4);
}

TEST_P(GpuAttentionTest, SurvivesSharpSoftmax) {
  ExpectAgrees({.softmax_scale = 30.0f, .row_counts = {200}});
}

TEST_P(GpuAttentionTest, ServesManyQueryRowsOfDifferentLengths) {
  AttentionCase c{.heads = 5, .latent_dim = 64, .rope_dim = 0};
  c.row_counts.clear();
  for (int q = 0; q < kMaxQueryRows; ++q) c.row_counts.push_back(random_.Int(0, 90));
  ExpectAgrees(c);
}

TEST_P(GpuAttentionTest, EqualCallsGiveEqualBits) {
  const AttentionCase c{.heads = 20, .row_counts = {300}};
  const AttentionInputs in = RandomInputs(random_, c);
  const AttentionResult once = OnDevice(c, in), again = OnDevice(c, in);
  EXPECT_EQ(once.outputs, again.outputs);
  EXPECT_EQ(once.lse, again.lse);
}

TEST_P(GpuAttentionTest, RefusesShapesThatItCannotMultiply) {
  const std::vector<std::byte> query(4096);
  std::vector<float> out(4096);
  const AttendQuery one = {query.data(), {}, out.data(), out.data()};
  AttendBatch batch{.format = RowFormat::kFp8FlashMla,
                    .heads = 1,
                    .latent_dim = 160,
                    .rope_dim = 0,
                    .softmax_scale = 1,
                    .queries = {&one, 1}};
  EXPECT_NE(backend_->TryAttend(batch).find("multiples of 128"), std::string::npos);
  batch.latent_dim = 128;
  batch.rope_dim = 8;
  EXPECT_NE(backend_->TryAttend(batch).find("multiples of 16"), std::string::npos);
}

}  // namespace
}  // namespace winnow::kernels::cuda
