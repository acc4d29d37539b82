#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "tests/kernels/sieve_fixture.h"

namespace winnow::kernels {
namespace {

class MxFp4SieveTest : public SieveTest {
 protected:
  bool SuitsMxFp4(int dim) const { return Suits(KeyFormat::kMxFp4, dim); }
  // By so many powers of two a block may be below the largest of its key without loss.
  int LosslessPowers() const { return IsCoarse(*GetParam()->sieve) ? 2 : 3; }
};

// A processor without the instructions has no such variant.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MxFp4SieveTest);
INSTANTIATE_TEST_SUITE_P(EveryVariant, MxFp4SieveTest, testing::ValuesIn(SievedVariants()),
                         [](const auto& info) { return std::string(info.param->name); });

// Of scales within 2^12, of some that are alike, of some beyond all that is sieved, of keys or
// heads of which each has its own size, and of heads that are all of one.
TEST_P(MxFp4SieveTest, NoScoreIsAboveItsBound) {
  for (int round = 0; round < 90; ++round) {
    const int dim = 32 * random_.Int(1, 8), heads = random_.Int(1, 128);
    if (!SuitsMxFp4(dim)) continue;
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, dim, heads, 1, 300, 1);
    int size = 127, blocks = 0;
    const int one_size = random_.Int(0, 250);
    const auto of_any_size = [&] {
      if (blocks++ % (dim / 32) == 0) size = random_.Int(0, 1) == 0 ? random_.Int(0, 250) : 127;
      return size + random_.Int(0, 4);
    };
    const auto some_far = [&] { return random_.Int(0, 9) > 0 ? 127 : random_.Int(0, 254); };
    if (round % 6 == 1) SetMxFp4Scales(dim, &c.keys, [&] { return random_.Int(126, 128); });
    if (round % 6 == 2) SetMxFp4Scales(dim, &c.keys, some_far);
    if (round % 6 == 3) SetMxFp4Scales(dim, &c.keys, of_any_size);
    if (round % 6 == 4) SetMxFp4Scales(dim, &c.queries, of_any_size);
    if (round % 6 == 5) {
      SetMxFp4Scales(dim, &c.queries, [&] { return one_size + random_.Int(0, 3); });
    }
    ExpectNoScoreAboveItsBound(both(), c);
  }
}

TEST_P(MxFp4SieveTest, BoundsWhereScalesAreNearAreScores) {
  if (!SuitsMxFp4(128)) GTEST_SKIP() << "this sieve is not for MXFP4";
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 128, 64, 1, 500, 1);
  SetMxFp4Scales(c.dim, &c.keys, [&] { return random_.Int(100, 100 + LosslessPowers()); });
  // Heads of large values have one or two bits less where sums must fit an int16.
  const int powers = IsCoarse(*GetParam()->sieve) ? 1 : 3;
  SetMxFp4Scales(c.dim, &c.queries, [&] { return random_.Int(100, 100 + powers); });
  for (float& weight : c.weights) weight = random_.Float(0.5f, 1.5f);
  // What the first 16 of each page lose is theirs alone.
  const auto loses = [](size_t entry) { return entry % kPageEntries < 16; };
  const size_t key_bytes = KeyBytes(c.format, c.dim);
  for (size_t i = 0; i < c.entries(); ++i) {
    if (loses(i)) c.keys[(i + 1) * key_bytes - 1] = std::byte{90};
  }
  const std::vector<float> scores = ScoresOf(plain(), c);
  const std::vector<float> bounds = BoundsOf(c);
  const float largest = *std::ranges::max_element(scores);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (loses(i)) continue;
    EXPECT_LE(bounds[i] - scores[i], 2e-3f * largest) << i;
  }
}

// A key whose second block is so far below the first that levels of it lose something, or all.
TEST_P(MxFp4SieveTest, ABoundIsMetWhereAllLossesAddUp) {
  if (!SuitsMxFp4(64)) GTEST_SKIP() << "this sieve is not for MXFP4";
  const std::byte ones{0x22}, six{0x07}, largest{0x77}, threes{0x33};  // 1, 6, 6 and 1.5
  for (const bool is_large : {false, true}) {
    for (int below = 1; below < 12; ++below) {
      ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 64, 1, 1, 1, 1);
      c.keys.assign(c.keys.size(), is_large ? largest : threes);
      std::fill_n(c.keys.begin(), 16, std::byte{0});
      c.keys[5] = six;
      c.keys[32] = std::byte{127};
      c.keys[33] = static_cast<std::byte>(127 - below);
      c.queries.assign(c.queries.size(), ones);
      c.queries[32] = c.queries[33] = std::byte{127};
      c.weights = {1};
      const float score = 6 + std::ldexp(is_large ? 6.0f : 1.5f, 5 - below);
      ASSERT_EQ(ScoresOf(plain(), c), std::vector<float>{score});
      const float bound = BoundsOf(c)[0];
      EXPECT_GE(bound, score) << below;
      // The query's length times that of a step in 32 dims.
      const int powers = LosslessPowers();
      const float lost =
          below > powers ? 8 * std::sqrt(32.0f) / static_cast<float>(2 << powers) : 0;
      EXPECT_LE(bound, (score + lost) * 1.01f) << below;
    }
  }
}

// Two heads overflow together, which the third takes back too late; or each does before its weight.
TEST_P(MxFp4SieveTest, AScoreThatOverflowsOnTheWayIsNotAboveItsBound) {
  if (!SuitsMxFp4(64)) GTEST_SKIP() << "this sieve is not for MXFP4";
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 64, 3, 1, 100, 1);
  for (size_t i = 0; i < 2 * c.queries.size() / 3; ++i) {
    c.queries[c.queries.size() / 3 + i] = c.queries[i];
  }
  for (auto* values : {&c.keys, &c.queries}) {
    SetMxFp4Scales(64, values, [] { return 127 + 40; });
  }
  c.weights = {1e14f, 1e14f, -1.999e14f};
  ExpectNoScoreAboveItsBound(std::array{&plain()}, c);
  SetMxFp4Scales(64, &c.queries, [] { return 250; });
  c.weights = {1e-30f, 1e-30f, 1e-30f};
  ExpectNoScoreAboveItsBound(std::array{&plain()}, c);
}

TEST_P(MxFp4SieveTest, AScoreOfSmallValuesIsNotAboveItsBound) {
  if (!SuitsMxFp4(256)) GTEST_SKIP() << "this sieve is not for MXFP4";
  // What a level loses, times the weight, is below all that fp32 holds.
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 256, 1, 1, 1, 1);
  std::fill_n(c.queries.begin(), 16, std::byte{0});
  std::fill_n(c.queries.begin() + 16, 112, std::byte{0x77});  // 6
  int block = 0;
  SetMxFp4Scales(256, &c.queries, [&] { return block++ == 0 ? 87 : 79; });
  std::fill_n(c.keys.begin(), 128, std::byte{0x77});
  SetMxFp4Scales(256, &c.keys, [] { return 167; });
  c.weights = {0x1p-105f};
  ExpectNoScoreAboveItsBound(both(), c);
  // A product of values is below all that fp32 holds, but not times the weight.
  c = RandomScoreCase(random_, KeyFormat::kMxFp4, 64, 1, 1, 1, 1);
  std::fill_n(c.queries.begin(), 32, std::byte{0});
  c.queries[16] = std::byte{0x03};  // 1.5
  block = 0;
  SetMxFp4Scales(64, &c.queries, [&] { return block++ == 0 ? 87 : 17; });
  std::fill_n(c.keys.begin(), 32, std::byte{0});
  c.keys[16] = std::byte{0x02};  // 1
  SetMxFp4Scales(64, &c.keys, [] { return 87; });
  c.weights = {0x1p127f};
  ExpectNoScoreAboveItsBound(std::array{&plain()}, c);
}

}  // namespace
}  // namespace winnow::kernels
