// Scores at the ends of what fp32 and the formats hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

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

  RandomData random_;
};

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

}  // namespace
}  // namespace winnow::kernels
