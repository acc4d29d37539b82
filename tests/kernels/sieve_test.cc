#include "kernels/cpu/sieve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/score_case.h"
#include "tests/kernels/tested_backends.h"

namespace winnow::kernels {
namespace {

class SieveTest : public testing::TestWithParam<const CpuVariant*> {
 protected:
  // Scores every entry where all are selected.
  const Backend& plain() const { return *plain_; }
  std::array<const Backend*, 2> both() const { return {plain_.get(), ChooseBackend("reference")}; }

  bool SuitsMxFp4(int dim) const {
    return GetParam()->sieve->suits({.format = KeyFormat::kMxFp4, .dim = dim});
  }

  RandomData random_{TestSeed()};

 private:
  const std::unique_ptr<const Backend> plain_{MakeCpuBackend(*GetParam())};
};

// A processor without the instructions has no such variant.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SieveTest);
INSTANTIATE_TEST_SUITE_P(EveryVariant, SieveTest, testing::ValuesIn(SievedVariants()),
                         [](const auto& info) { return std::string(info.param->name); });

// All scores of row 0, by entry.
std::vector<float> ScoresOf(const Backend& backend, const ScoreCase& c) {
  ScoreCase all = c;
  all.k = static_cast<int>(c.entries());
  const Selection selected = Evaluate(backend, all);
  std::vector<float> scores(c.entries());
  for (const Candidate& candidate : selected[0]) {
    scores[candidate.position] = candidate.score;
  }
  return scores;
}

// Bounds of all entries of row 0, from pages whose other entries are garbage, and of which some are
// made ready in the turn before.
std::vector<float> BoundsOf(RandomData& random, const CpuVariant& variant, const ScoreCase& c) {
  const Sieve& sieve = *variant.sieve;
  const PagedKeys paged(c.format, c.dim, c.keys);
  const std::vector<KeyPage> pages = Pages(paged);
  const ScoreQuery query = Params(c, pages).query;
  const auto memory = [](size_t bytes) {
    return std::make_unique<std::byte[]>(bytes + kScratchAlignment);
  };
  const auto prepared = memory(sieve.prepared_bytes(query));
  const auto scratch = memory(sieve.scratch_bytes(query));
  sieve.prepare(query, prepared.get());
  if (variant.enter != nullptr) variant.enter(query);
  std::vector<float> bounds;
  bool ready = false;
  for (size_t i = 0; i < pages.size(); ++i) {
    const bool follows = i + 1 < pages.size() && random.Int(0, 2) > 0;
    std::vector<float> of_page(static_cast<size_t>(c.rows) * kPageEntries);
    sieve.bound_page(
        query, prepared.get(),
        {.page = pages[i].keys, .next = follows ? pages[i + 1].keys : nullptr, .first = !ready},
        scratch.get(), of_page.data());
    ready = follows;
    bounds.insert(bounds.end(), of_page.begin(), of_page.begin() + pages[i].entries);
  }
  if (variant.leave != nullptr) variant.leave();
  return bounds;
}

void ExpectNoScoreAboveItsBound(RandomData& random, const CpuVariant& variant,
                                std::span<const Backend* const> backends, const ScoreCase& c) {
  const std::vector<float> bounds = BoundsOf(random, variant, c);
  for (const Backend* backend : backends) {
    const std::vector<float> scores = ScoresOf(*backend, c);
    for (size_t i = 0; i < scores.size(); ++i) {
      ASSERT_FALSE(bounds[i] < scores[i])
          << backend->name() << " " << c.dim << " x " << c.heads << ", entry " << i << ": "
          << scores[i] << " above " << bounds[i];
    }
  }
}

TEST_P(SieveTest, NoScoreOfFp8IsAboveItsBound) {
  for (int round = 0; round < 60; ++round) {
    const int dim = 32 * random_.Int(1, 8), heads = random_.Int(1, 128);
    if (!GetParam()->sieve->suits({.format = KeyFormat::kFp8E4M3, .dim = dim})) continue;
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
    ExpectNoScoreAboveItsBound(random_, *GetParam(), both(), c);
  }
}

// Of scales within 2^12, of some that are alike, of some beyond all that is sieved, of keys or
// heads of which each has its own size, and of heads that are all of one.
TEST_P(SieveTest, NoScoreOfMxFp4IsAboveItsBound) {
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
    ExpectNoScoreAboveItsBound(random_, *GetParam(), both(), c);
  }
}

TEST_P(SieveTest, BoundsOfMxFp4WhoseScalesAreNearAreScores) {
  if (!SuitsMxFp4(128)) GTEST_SKIP() << "this sieve is not for MXFP4";
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 128, 64, 1, 500, 1);
  for (auto* values : {&c.keys, &c.queries}) {
    SetMxFp4Scales(c.dim, values, [&] { return random_.Int(100, 103); });
  }
  for (float& weight : c.weights) weight = random_.Float(0.5f, 1.5f);
  // What the first 16 of each page lose is theirs alone.
  const auto loses = [](size_t entry) { return entry % kPageEntries < 16; };
  const size_t key_bytes = KeyBytes(c.format, c.dim);
  for (size_t i = 0; i < c.entries(); ++i) {
    if (loses(i)) c.keys[(i + 1) * key_bytes - 1] = std::byte{90};
  }
  const std::vector<float> scores = ScoresOf(plain(), c);
  const std::vector<float> bounds = BoundsOf(random_, *GetParam(), c);
  const float largest = *std::ranges::max_element(scores);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (loses(i)) continue;
    EXPECT_LE(bounds[i] - scores[i], 2e-3f * largest) << i;
  }
}

// A key whose second block is so far below the first that levels of it lose something, or all.
TEST_P(SieveTest, ABoundOfMxFp4IsMetWhereAllLossesAddUp) {
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
      const float bound = BoundsOf(random_, *GetParam(), c)[0];
      EXPECT_GE(bound, score) << below;
      // The query's length times that of a step in 32 dims.
      const float lost = below > 3 ? 8 * std::sqrt(32.0f) / 16 : 0;
      EXPECT_LE(bound, (score + lost) * 1.01f) << below;
    }
  }
}

// Two heads overflow together, which the third takes back too late; or each does before its weight.
TEST_P(SieveTest, AScoreOfMxFp4ThatOverflowsOnTheWayIsNotAboveItsBound) {
  if (!SuitsMxFp4(64)) GTEST_SKIP() << "this sieve is not for MXFP4";
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 64, 3, 1, 100, 1);
  for (size_t i = 0; i < 2 * c.queries.size() / 3; ++i) {
    c.queries[c.queries.size() / 3 + i] = c.queries[i];
  }
  for (auto* values : {&c.keys, &c.queries}) {
    SetMxFp4Scales(64, values, [] { return 127 + 40; });
  }
  c.weights = {1e14f, 1e14f, -1.999e14f};
  ExpectNoScoreAboveItsBound(random_, *GetParam(), std::array{&plain()}, c);
  SetMxFp4Scales(64, &c.queries, [] { return 250; });
  c.weights = {1e-30f, 1e-30f, 1e-30f};
  ExpectNoScoreAboveItsBound(random_, *GetParam(), std::array{&plain()}, c);
}

// One head and one key whose small values all lose as much in the same direction.
TEST_P(SieveTest, ABoundIsMetWhereAllLossesAddUp) {
  const std::byte one{0x38}, largest{0x7e}, lost{0x59};  // 1, 448 and 18
  for (const bool in_key : {false, true}) {
    ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 1, 1, 1, 1);
    std::fill_n(c.keys.begin(), 128, in_key ? lost : one);
    std::fill_n(c.queries.begin(), 128, in_key ? one : lost);
    (in_key ? c.keys : c.queries)[5] = largest;
    c.weights = {1};
    SetScales(&c, 1);
    constexpr float kScore = 448 + 127 * 18;
    ASSERT_EQ(ScoresOf(plain(), c), std::vector<float>{kScore});
    const float bound = BoundsOf(random_, *GetParam(), c)[0];
    EXPECT_GE(bound, kScore);
    EXPECT_LE(bound, kScore * 1.02f);
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
  ExpectNoScoreAboveItsBound(random_, *GetParam(), std::array{&plain()}, c);
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
  ExpectNoScoreAboveItsBound(random_, *GetParam(), both(), c);
}

TEST_P(SieveTest, AScoreOfMxFp4OfSmallValuesIsNotAboveItsBound) {
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
  ExpectNoScoreAboveItsBound(random_, *GetParam(), both(), c);
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
  ExpectNoScoreAboveItsBound(random_, *GetParam(), std::array{&plain()}, c);
}

TEST_P(SieveTest, FewNormalKeysPass) {
  const ScoreCase c = NormalScoreCase(random_, 128, 64, 1, 20000, 1);
  std::vector<float> scores = ScoresOf(plain(), c);
  const std::vector<float> bounds = BoundsOf(random_, *GetParam(), c);
  std::nth_element(scores.begin(), scores.begin() + 39, scores.end(), std::greater<>());
  const auto passed = std::ranges::count_if(bounds, [&](float b) { return !(b < scores[39]); });
  EXPECT_GE(passed, 40);
  EXPECT_LE(passed, IsCoarse(*GetParam()->sieve) ? 1200 : 200) << "of 20000, for the best 40";
}

}  // namespace
}  // namespace winnow::kernels
