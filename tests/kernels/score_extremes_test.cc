// Scores at the ends of what fp32 and the formats hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/score_case.h"
#include "tests/kernels/tested_backends.h"

namespace winnow::kernels {
namespace {

constexpr KeyFormat kFormats[] = {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16,
                                  KeyFormat::kInt8};

class ScoreExtremesTest : public testing::TestWithParam<const Backend*> {
 protected:
  ScoreExtremesTest() : random_(TestSeed()) {}

  // bf16 values of 2^-64 up to 2^-61, of either sign.
  void MakeSmallBf16(std::vector<std::byte>* values) {
    for (size_t i = 0; i < values->size(); i += 2) {
      const auto bits =
          static_cast<uint16_t>(random_.Int(0, 1) << 15 | (63 << 7) | random_.Int(0, 0x1ff));
      std::memcpy(&(*values)[i], &bits, sizeof bits);
    }
  }

  void ExpectAgrees(const ScoreCase& c) {
    EXPECT_EQ(Disagreement(c, Evaluate(*GetParam(), c)), "");
  }

  RandomData random_;
};

// That all of so many entries are selected, best first, and have scores that can be compared.
void ExpectOrdered(const std::vector<Candidate>& got, size_t entries) {
  ASSERT_EQ(got.size(), entries);
  std::vector<bool> seen(entries);
  for (size_t i = 0; i < entries; ++i) {
    ASSERT_FALSE(std::isnan(got[i].score));
    ASSERT_FALSE(got[i].score == 0 && std::signbit(got[i].score));
    ASSERT_TRUE(i == 0 || Better(got[i - 1], got[i])) << i;
    ASSERT_FALSE(seen[got[i].position]);
    seen[got[i].position] = true;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryVariant, ScoreExtremesTest, testing::ValuesIn(TestedBackends()),
                         [](const auto& info) { return std::string(info.param->name()); });

// All scores are 0, those of the first entries because fp32 has no number so close to it.
TEST_P(ScoreExtremesTest, ScoresThatVanishFromBelowTieWithZero) {
  for (const KeyFormat format : kFormats) {
    ScoreCase c = RandomScoreCase(random_, format, 32, 1, 1, 3000, 1024);
    c.weights = {-1e-30f};
    switch (format) {
      case KeyFormat::kFp8E4M3:
      case KeyFormat::kInt8:
        SetScales(&c, 1e-30f);
        break;
      case KeyFormat::kMxFp4:
        SetMxFp4Scales(c.dim, &c.keys, [] { return 60; });
        SetMxFp4Scales(c.dim, &c.queries, [] { return 60; });
        break;
      case KeyFormat::kBf16:
        MakeSmallBf16(&c.keys);
        MakeSmallBf16(&c.queries);
        break;
    }
    std::fill(c.keys.begin() + 2000 * KeyBytes(format, c.dim), c.keys.end(), std::byte{0});
    const Selection got = Evaluate(*GetParam(), c);
    EXPECT_EQ(got, Evaluate(*ChooseBackend("reference"), c));
    for (const Candidate& candidate : got[0]) EXPECT_FALSE(std::signbit(candidate.score));
  }
}

// Scales of keys, or weights where keys have none.
TEST_P(ScoreExtremesTest, HandlesExtremeScales) {
  for (const KeyFormat format : kFormats) {
    for (const float scale : {1e-38f, 1e-30f, 1e30f, -1.0f, 0.0f, 3e38f, -3e38f}) {
      SCOPED_TRACE(scale);
      ScoreCase c = RandomScoreCase(random_, format, 32, 4, 1, 130, 130);
      if (format == KeyFormat::kFp8E4M3 || format == KeyFormat::kInt8) {
        SetScales(&c, scale);
      } else {
        for (float& weight : c.weights) weight *= scale;
      }
      const Selection got = Evaluate(*GetParam(), c);
      ExpectOrdered(got[0], 130);
      // fp32 does not hold all scores of larger scales.
      if (std::abs(scale) > 1e38f) continue;
      EXPECT_EQ(Disagreement(c, got), "");
    }
  }
}

TEST_P(ScoreExtremesTest, HandlesExtremeBlockScales) {
  // Codes of key and query scales: their product is always in range, they are not.
  constexpr std::pair<int, int> kCodes[] = {{0, 200},   {252, 2},  {253, 1}, {254, 0},
                                            {254, 3},   {3, 251},  {1, 253}, {0, 254},
                                            {120, 130}, {245, 10}, {20, 246}};
  for (const auto& [key_code, query_code] : kCodes) {
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 64, 6, 2, 150, 150);
    // fp32 does not hold all values from 2 on with scales larger than that.
    const auto clear_large = [](int code, std::vector<std::byte>* values) {
      if (code <= 252) return;
      for (std::byte& pair : *values) pair &= std::byte{0xbb};
    };
    clear_large(key_code, &c.keys);
    clear_large(query_code, &c.queries);
    SetMxFp4Scales(c.dim, &c.keys, [key_code = key_code] { return key_code; });
    SetMxFp4Scales(c.dim, &c.queries, [query_code = query_code] { return query_code; });
    ExpectAgrees(c);
  }
}

TEST_P(ScoreExtremesTest, HandlesSubnormalCodes) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 64, 4, 1, 200, 40);
  for (size_t i = 0; i < c.entries(); ++i) {
    for (int d = 0; d < c.dim; ++d) c.keys[i * 68 + d] &= std::byte{0x87};
  }
  ExpectAgrees(c);
}

TEST_P(ScoreExtremesTest, HandlesSubnormalBf16) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kBf16, 64, 4, 1, 200, 200);
  for (size_t i = 0; i < c.keys.size(); i += 6) c.keys[i + 1] &= std::byte{0x80};
  for (size_t i = 0; i < c.queries.size(); i += 10) c.queries[i + 1] &= std::byte{0x80};
  ExpectAgrees(c);
}

// Normal numbers whose products are not.
TEST_P(ScoreExtremesTest, HandlesBf16OfSubnormalProducts) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kBf16, 64, 4, 1, 200, 200);
  MakeSmallBf16(&c.keys);
  MakeSmallBf16(&c.queries);
  ExpectAgrees(c);
}

}  // namespace
}  // namespace winnow::kernels
