#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/sieve_fixture.h"

namespace winnow::kernels {
namespace {

// A processor without the instructions has no such variant.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SieveTest);
INSTANTIATE_TEST_SUITE_P(EveryVariant, SieveTest, testing::ValuesIn(SievedVariants()),
                         [](const auto& info) { return std::string(info.param->name); });

// Divides some of the values of int8 codes by up to 16.
void MakeSmall(RandomData& random, std::vector<std::byte>* codes) {
  for (std::byte& code : *codes) {
    code = static_cast<std::byte>(static_cast<int8_t>(code) / (1 << random.Int(0, 4)));
  }
}

// Zeroes the queries in every second pair of dims: those that a multiplication adds to one sum.
void DropPairs(int odd, ScoreCase* c) {
  const size_t pair_bytes = c->format == KeyFormat::kMxFp4 ? 1 : 2;
  const size_t head_bytes = QueryBytes(c->format, c->dim);
  for (size_t i = 0; i < c->queries.size(); ++i) {
    if (i % head_bytes / pair_bytes % 2 == static_cast<size_t>(odd)) c->queries[i] = std::byte{0};
  }
}

TEST_P(SieveTest, NoScoreOfFp8IsAboveItsBound) {
  for (int round = 0; round < 60; ++round) {
    const int dim = 32 * random_.Int(1, 8), heads = random_.Int(1, 128);
    if (!Suits(KeyFormat::kFp8E4M3, dim)) continue;
    ScoreCase c = round % 2 == 0
                      ? NormalScoreCase(random_, dim, heads, 1, 300, 1)
                      : RandomScoreCase(random_, KeyFormat::kFp8E4M3, dim, heads, 1, 300, 1);
    // Keys of small values alone, which are rounded to finer steps.
    if (round % 3 == 0) {
      const std::byte keep = static_cast<std::byte>(0x87 | random_.Int(0, 15) << 3);
      for (size_t i = 0; i < c.keys.size(); ++i) {
        if (i % (dim + 4) < static_cast<size_t>(dim)) c.keys[i] &= keep;
      }
    }
    for (size_t i = 0; i < c.entries(); i += 1 + random_.Int(0, 3)) {
      PutFloat(random_.Float(-2, 2), &c.keys[i * (dim + 4) + dim]);
    }
    ExpectNoScoreAboveItsBound(both(), c);
  }
}

TEST_P(SieveTest, NoScoreOfInt8IsAboveItsBound) {
  for (int round = 0; round < 60; ++round) {
    const int dim = 32 * random_.Int(1, 8), heads = random_.Int(1, 128);
    if (!Suits(KeyFormat::kInt8, dim)) continue;
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, dim, heads, 1, 300, 1);
    if (round % 3 == 0) MakeSmall(random_, &c.queries);
    if (round % 2 == 0) {
      for (float& weight : c.weights) weight = random_.Float(-1, 2);
    }
    ExpectNoScoreAboveItsBound(both(), c);
  }
}

// One head and a page of one key whose small values all lose as much in the same direction.
TEST_P(SieveTest, ABoundIsMetWhereAllLossesAddUp) {
  const std::byte one{0x38}, largest{0x7e}, lost{0x59};  // 1, 448 and 18
  for (const bool in_key : {false, true}) {
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 1, 1, kPageEntries, 1);
    std::ranges::fill(c.keys, in_key ? lost : one);
    std::ranges::fill(c.queries, in_key ? one : lost);
    if (!in_key) c.queries[5] = largest;
    for (size_t i = 5; in_key && i < c.keys.size(); i += 132) c.keys[i] = largest;
    c.weights = {1};
    SetScales(&c, 1);
    constexpr float kScore = 448 + 127 * 18;
    ASSERT_EQ(ScoresOf(plain(), c), std::vector<float>(kPageEntries, kScore));
    for (const float bound : BoundsOf(c)) {
      EXPECT_GE(bound, kScore);
      EXPECT_LE(bound, kScore * 1.02f);
    }
  }
}

// Keys of one code but for a large value, and a query that adds or subtracts it: whether levels of
// the code are too small or too large, a bound covers it.
TEST_P(SieveTest, ABoundIsMetForEveryCode) {
  constexpr int kLeastOf64 = 0x68;
  for (int code = 0; code < 0x78; ++code) {
    for (const std::byte one : {std::byte{0x38}, std::byte{0xb8}}) {  // 1 and -1
      ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 1, 1, 1, 1);
      std::fill_n(c.keys.begin(), 128, static_cast<std::byte>(code));
      std::ranges::fill(c.queries, one);
      c.keys[5] = std::byte{0x7e};     // 448
      c.queries[5] = std::byte{0x50};  // 8
      c.weights = {1};
      SetScales(&c, 1);
      const float score = ScoresOf(plain(), c)[0];
      const float bound = BoundsOf(c)[0];
      EXPECT_GE(bound, score) << code;
      if (code < kLeastOf64) continue;
      EXPECT_LE(bound, score + 0.001f * 128 * 448) << code << " loses nothing";
    }
  }
}

// A code of all keys and one of all queries, and their product.
struct CodePair {
  KeyFormat format;
  std::byte key, query;
  float product;
};

// Some values are as large as they can be, so that sums are, too: a sieve that adds in few bits has
// to take that into account. Others lose as much as they can.
TEST_P(SieveTest, ABoundIsMetWhereAllValuesAreAlike) {
  constexpr std::byte kE4m3{0x7e}, kE2m1{0x77};
  const auto int8 = [](int value) { return static_cast<std::byte>(value); };
  for (const CodePair& codes : {CodePair{KeyFormat::kFp8E4M3, kE4m3, kE4m3, 448 * 448},
                                {KeyFormat::kFp8E4M3, kE4m3, std::byte{0x7a}, 448 * 320},
                                {KeyFormat::kMxFp4, kE2m1, kE2m1, 36},
                                {KeyFormat::kInt8, int8(127), int8(127), 127 * 127},
                                {KeyFormat::kInt8, int8(-128), int8(-128), 128 * 128},
                                {KeyFormat::kInt8, int8(127), int8(-128), -127 * 128},
                                {KeyFormat::kInt8, int8(-127), int8(-64), 127 * 64},
                                {KeyFormat::kInt8, int8(64), int8(65), 64 * 65}}) {
    for (const int dim : {32, 64, 128, 256}) {
      if (!Suits(codes.format, dim)) continue;
      for (const bool half : {false, true}) {
        ScoreCase c = RandomScoreCase(random_, codes.format, dim, 5, 1, 70, 1);
        std::ranges::fill(c.keys, codes.key);
        std::ranges::fill(c.queries, codes.query);
        if (half) DropPairs(random_.Int(0, 1), &c);
        c.weights.assign(5, 1);
        if (codes.format == KeyFormat::kMxFp4) {
          for (auto* v : {&c.keys, &c.queries}) SetMxFp4Scales(dim, v, [] { return 127; });
        } else {
          SetScales(&c, 1);
        }
        const float sum = 5 * static_cast<float>(half ? dim / 2 : dim) * codes.product;
        const float score = std::max(0.0f, sum);
        ASSERT_EQ(ScoresOf(plain(), c), std::vector<float>(70, score));
        for (const float bound : BoundsOf(c)) {
          EXPECT_GE(bound, score);
          EXPECT_LE(bound, score + 0.06f * std::abs(sum));
        }
      }
    }
  }
}

// Two heads overflow together, which the third takes back too late.
TEST_P(SieveTest, AScoreOfFp8ThatOverflowsOnTheWayIsNotAboveItsBound) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 3, 1, 1, 1);
  std::ranges::fill(c.keys, std::byte{0});
  std::ranges::fill(c.queries, std::byte{0});
  c.keys[0] = std::byte{0x7e};                                                   // 448
  for (int head = 0; head < 3; ++head) c.queries[head * 128] = std::byte{0x38};  // 1
  SetScales(&c, 1);
  const float weight = 0.6f * std::numeric_limits<float>::max() / 448;
  c.weights = {weight, weight, -1.999f * weight};
  ExpectNoScoreAboveItsBound(std::array{&plain()}, c);
}

// Values that levels lose, times a weight, are below all that fp32 holds.
TEST_P(SieveTest, AScoreOfSubnormalWeightsIsNotAboveItsBound) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 1, 1, 1, 1);
  std::fill_n(c.keys.begin(), 128, std::byte{0x7e});  // 448
  c.keys[0] = std::byte{0};
  std::ranges::fill(c.queries, std::byte{0x2c});  // 0.375
  c.queries[0] = std::byte{0x68};                 // 64
  SetScales(&c, 1);
  c.weights = {0x1p-149f};
  ExpectNoScoreAboveItsBound(both(), c);
}

TEST_P(SieveTest, FewNormalKeysPass) {
  const ScoreCase c = NormalScoreCase(random_, 128, 64, 1, 20000, 1);
  const int64_t passed = PassFor40Best(c);
  EXPECT_GE(passed, 40);
  EXPECT_LE(passed, IsCoarse(*GetParam()->sieve) ? 400 : 200) << "of 20000";
}

TEST_P(SieveTest, FewInt8KeysPass) {
  if (!Suits(KeyFormat::kInt8, 128)) GTEST_SKIP() << "this sieve is not for int8";
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kInt8, 128, 64, 1, 20000, 1);
  SetScales(&c, 1);
  const int64_t passed = PassFor40Best(c);
  EXPECT_GE(passed, 40);
  EXPECT_LE(passed, 600) << "of 20000";
}

}  // namespace
}  // namespace winnow::kernels
