#include <gtest/gtest.h>

#include <cmath>

#include "tests/gpu/score_case.h"
#include "tests/gpu/test_device.h"

namespace winnow::kernels::cuda {
namespace {

constexpr KeyFormat kFormats[] = {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16,
                                  KeyFormat::kInt8};

class GpuScoreTest : public GpuKernelTest {
 protected:
  Selection Select(const ScoreCase& c) { return Evaluate(*device_, *backend_, c); }
  RandomData random_{TestSeed()};
};

INSTANTIATE_TEST_SUITE_P(Device, GpuScoreTest, testing::Bool(), DeviceKind);

TEST_P(GpuScoreTest, AgreesWithTheReferenceOnRandomShapes) {
  for (const KeyFormat format : kFormats) {
    for (int round = 0; round < 8; ++round) {
      const ScoreCase c =
          RandomScoreCase(random_, format, 32 * random_.Int(1, 8), random_.Int(1, 128),
                          random_.Int(1, 3), random_.Int(0, 500), random_.Int(1, 300));
      EXPECT_EQ(Disagreement(c, Select(c)), "");
    }
  }
}

TEST_P(GpuScoreTest, AgreesAtEveryDim) {
  for (const KeyFormat format : kFormats) {
    for (int dim = 32; dim <= 256; dim += 32) {
      const ScoreCase c = RandomScoreCase(random_, format, dim, 9, 2, 130, 40);
      EXPECT_EQ(Disagreement(c, Select(c)), "");
    }
  }
}

TEST_P(GpuScoreTest, AgreesOnTheShapesOfPublishedModels) {
  for (const KeyFormat format : kFormats) {
    const ScoreCase c = RandomScoreCase(random_, format, 128, 64, 2, 1500, 256);
    EXPECT_EQ(Disagreement(c, Select(c)), "");
  }
}

TEST_P(GpuScoreTest, ServesSixtyFourQueryRowsAtOnce) {
  const ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 64, 5, kMaxQueryRows, 300, 20);
  EXPECT_EQ(Disagreement(c, Select(c)), "");
}

TEST_P(GpuScoreTest, KeepsTheBestOfManyWhereverTheyLie) {
  for (const int k : {1, 7, 100}) {
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, 1, 9000, k);
    c.weights = {1, 0.5f};
    EXPECT_EQ(Disagreement(c, Select(c)), "");
  }
}

TEST_P(GpuScoreTest, KeepsTheBestWhereEachIsBetterThanTheLast) {
  for (const float sign : {1.0f, -1.0f}) {
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 32, 1, 1, 9000, 150);
    const ScoreCase one = RandomScoreCase(random_, KeyFormat::kInt8, 32, 1, 1, 1, 1);
    for (size_t i = 0; i < c.entries(); ++i) {
      std::copy(one.queries.begin(), one.queries.end(), c.keys.begin() + i * 36);
      PutFloat(static_cast<float>(i + 1), &c.keys[i * 36 + 32]);
    }
    c.queries = one.queries;
    c.weights = {sign};
    EXPECT_EQ(Disagreement(c, Select(c)), "");
  }
}

TEST_P(GpuScoreTest, ScoresOfSmallIntegersAreExact) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 4, 1, 3000, 700);
  const auto sign = [&] { return static_cast<std::byte>(random_.Int(0, 1) == 0 ? 0x38 : 0xb8); };
  for (size_t i = 0; i < c.entries(); ++i) {
    for (int d = 0; d < c.dim; ++d) c.keys[i * 132 + d] = sign();
  }
  SetScales(&c, 1);
  for (std::byte& code : c.queries) code = sign();
  c.weights = {1, 2, 4, 8};
  EXPECT_EQ(Select(c), Evaluate(*ChooseBackend("reference"), c));
}

TEST_P(GpuScoreTest, TiesGoToTheLowerPosition) {
  // More of them than the list has room for.
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 1, 1, 1, 100);
  const std::vector<std::byte> one = c.keys;
  for (uint32_t i = 1; i < kListCapacity + 5000; ++i) {
    c.keys.insert(c.keys.end(), one.begin(), one.end());
  }
  c.visible = {kListCapacity + 5000};
  const Selection selected = Select(c);
  ASSERT_EQ(selected[0].size(), 100u);
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(selected[0][i].position, i);
}

TEST_P(GpuScoreTest, ListsAgainWhatWasListedBeforeThereWasAFloor) {
  // A third of the entries are more than a list has room for, and their units fewer than k.
  const ScoreCase c =
      RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 1, 1, 4 * kListCapacity - 100, 6000);
  EXPECT_EQ(Disagreement(c, Select(c)), "");
}

TEST_P(GpuScoreTest, SelectsAmongScoresFarApart) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 32, 2, 1, 2500, 900);
  for (size_t i = 0; i < c.entries(); ++i) {
    const float scale = std::ldexp(1.0f, random_.Int(-60, 60));
    PutFloat(i % 3 == 0 ? scale : 1.0f, &c.keys[i * 36 + 32]);
  }
  EXPECT_EQ(Disagreement(c, Select(c)), "");
}

TEST_P(GpuScoreTest, SelectsAmongNegativeScores) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 64, 8, 1, 3900, 50);
  for (float& weight : c.weights) weight = -std::abs(weight) - 0.1f;
  EXPECT_EQ(Disagreement(c, Select(c)), "");
}

TEST_P(GpuScoreTest, SelectsAmongZeroScores) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 64, 8, 1, 900, 50);
  c.weights.assign(8, 0.0f);
  EXPECT_EQ(Select(c), Evaluate(*ChooseBackend("reference"), c));
  c.weights.assign(8, -0.0f);
  EXPECT_EQ(Select(c), Evaluate(*ChooseBackend("reference"), c));
}

TEST_P(GpuScoreTest, ReturnsAllEntriesWhenKIsLarger) {
  const ScoreCase c = RandomScoreCase(random_, KeyFormat::kBf16, 32, 2, 1, 77, kMaxTopK);
  const Selection selected = Select(c);
  EXPECT_EQ(selected[0].size(), 77u);
  EXPECT_EQ(Disagreement(c, selected), "");
}

TEST_P(GpuScoreTest, SelectsAsManyAsCanBeAskedFor) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 32, 1, 1, 17000, kMaxTopK);
  c.weights = {1};
  EXPECT_EQ(Disagreement(c, Select(c)), "");
}

TEST_P(GpuScoreTest, ReturnsNothingWithoutCandidates) {
  const ScoreCase none = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, 2, 0, 5);
  for (const auto& row : Select(none)) EXPECT_TRUE(row.empty());
  ScoreCase invisible = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, 1, 100, 5);
  invisible.visible = {0};
  EXPECT_TRUE(Select(invisible)[0].empty());
}

TEST_P(GpuScoreTest, HandlesExtremeScales) {
  for (const float scale : {1e-38f, 1e-30f, 1e30f, -1.0f, 0.0f, 3e38f}) {
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 4, 1, 130, 130);
    SetScales(&c, scale);
    const Selection got = Select(c);
    ASSERT_EQ(got[0].size(), 130u);
    for (const Candidate& candidate : got[0]) {
      EXPECT_FALSE(std::isnan(candidate.score));
      EXPECT_FALSE(candidate.score == 0 && std::signbit(candidate.score));
    }
    if (scale < 1e30f) {
      EXPECT_EQ(Disagreement(c, got), "");
    }
  }
}

TEST_P(GpuScoreTest, ScoresThatAreNotNumbersComeLast) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 32, 2, 1, 200, 200);
  // 0 * inf and inf - inf.
  SetScales(&c, std::numeric_limits<float>::infinity());
  const Selection got = Select(c);
  EXPECT_EQ(got[0].size(), 200u);
  for (const Candidate& candidate : got[0]) EXPECT_FALSE(std::isnan(candidate.score));
}

TEST_P(GpuScoreTest, HandlesSubnormalCodes) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 64, 4, 1, 200, 40);
  for (size_t i = 0; i < c.entries(); ++i) {
    for (int d = 0; d < c.dim; ++d) c.keys[i * 68 + d] &= std::byte{0x87};
  }
  EXPECT_EQ(Disagreement(c, Select(c)), "");
}

TEST_P(GpuScoreTest, DoesNotDependOnHowEntriesArePaged) {
  for (const KeyFormat format : kFormats) {
    const ScoreCase c = RandomScoreCase(random_, format, 96, 9, 1, 333, 333);
    const Selection whole = Select(c);
    EXPECT_EQ(Evaluate(*device_, *backend_, c, 37), whole);
    EXPECT_EQ(Evaluate(*device_, *backend_, c, 1), whole);
  }
}

}  // namespace
}  // namespace winnow::kernels::cuda
