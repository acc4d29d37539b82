// That a scan which sieves selects what one does that scores every entry, whatever the bounds are.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/sieve_trial.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/score_case.h"
#include "tests/kernels/tested_backends.h"

namespace winnow::kernels {
namespace {

Sieve AlwaysOf(Sieve sieve) {
  sieve.least_entries = sieve.entries_per_selected = 0;
  return sieve;
}

// A variant beside itself without its sieve.
struct Pair {
  Pair(const CpuVariant& variant, const Sieve& own_sieve)
      : sieve(own_sieve), with(variant), without(variant) {
    with.sieve = &sieve;
    without.sieve = nullptr;
    sieved.reset(MakeCpuBackend(with));
    plain.reset(MakeCpuBackend(without));
  }

  void ExpectAlike(const ScoreCase& c, int threads = 2) const {
    const Selection expected = Evaluate(*plain, c, threads);
    ASSERT_EQ(expected.size(), static_cast<size_t>(c.rows));
    EXPECT_EQ(Evaluate(*sieved, c, threads), expected);
  }

  const Sieve sieve;
  CpuVariant with, without;
  std::unique_ptr<const Backend> sieved, plain;
};

class SievedScanTest : public testing::TestWithParam<const CpuVariant*> {
 protected:
  RandomData random_{TestSeed()};
  // Whether or not it pays.
  Pair pair_{*GetParam(), AlwaysOf(*GetParam()->sieve)};
};

// A processor without the instructions has no such variant.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SievedScanTest);
INSTANTIATE_TEST_SUITE_P(EveryVariant, SievedScanTest, testing::ValuesIn(SievedVariants()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST_P(SievedScanTest, SelectsTheSameOnRandomShapes) {
  for (int round = 0; round < 10; ++round) {
    const ScoreCase c =
        RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32 * random_.Int(1, 8), random_.Int(1, 128),
                        random_.Int(1, 3), random_.Int(4096, 9000), random_.Int(1, 256));
    pair_.ExpectAlike(c, random_.Int(1, 5));
  }
}

TEST_P(SievedScanTest, SelectsTheSameOfInt8) {
  for (int round = 0; round < 10; ++round) {
    pair_.ExpectAlike(
        RandomScoreCase(random_, KeyFormat::kInt8, 32 * random_.Int(1, 8), random_.Int(1, 128),
                        random_.Int(1, 3), random_.Int(4096, 9000), random_.Int(1, 256)),
        random_.Int(1, 5));
  }
}

TEST_P(SievedScanTest, SelectsTheSameOfMxFp4) {
  for (int round = 0; round < 10; ++round) {
    ScoreCase c =
        RandomScoreCase(random_, KeyFormat::kMxFp4, 32 * random_.Int(1, 8), random_.Int(1, 128),
                        random_.Int(1, 3), random_.Int(4096, 9000), random_.Int(1, 256));
    pair_.ExpectAlike(c, random_.Int(1, 5));
    const auto some_far = [&] { return random_.Int(0, 99) > 0 ? 120 : random_.Int(0, 254); };
    SetMxFp4Scales(c.dim, &c.keys, some_far);
    pair_.ExpectAlike(c);
    for (float& weight : c.weights) weight *= 1e36f;
    pair_.ExpectAlike(c);
  }
}

// A row whose scales are so large that it is scored in another way, beside rows that are not: sums
// that round differently where half of the dims are far below the others.
TEST_P(SievedScanTest, SelectsTheSameOfMxFp4BesideARowOfLargeScales) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kMxFp4, 64, 1, 8, 8192, 20);
  const size_t key_bytes = KeyBytes(c.format, c.dim);
  for (size_t i = 0; i < c.keys.size(); ++i) {
    const size_t at = i % key_bytes;
    c.keys[i] = at == 0 ? std::byte{6} : at < 16 ? std::byte{0} : std::byte{0x11};  // 4, 0, 0.5
  }
  int block = 0;
  SetMxFp4Scales(c.dim, &c.keys, [&] { return block++ % 2 == 0 ? 149 : 127; });
  std::ranges::fill(c.queries, std::byte{0x22});  // 1
  std::fill_n(c.queries.begin(), key_bytes, std::byte{0});
  block = 0;
  SetMxFp4Scales(c.dim, &c.queries, [&] { return block++ < 2 ? 245 : 127; });
  c.weights.assign(8, 1);
  c.visible.assign(8, 8192);
  pair_.ExpectAlike(c);
}

TEST_P(SievedScanTest, SelectsTheSameOnNormalKeys) {
  for (const int heads : {1, 16, 64, 128}) {
    pair_.ExpectAlike(NormalScoreCase(random_, 128, heads, 2, 20000, 100));
  }
  pair_.ExpectAlike(NormalScoreCase(random_, 64, 3, kMaxQueryRows, 9000, 20));
}

TEST_P(SievedScanTest, SelectsTheSameWhereManyTie) {
  ScoreCase c = NormalScoreCase(random_, 32, 4, 2, 30, 500);
  const std::vector<std::byte> some = c.keys;
  while (c.entries() < 12000) c.keys.insert(c.keys.end(), some.begin(), some.end());
  c.visible = {12000, 7777};
  pair_.ExpectAlike(c);
  for (float& weight : c.weights) weight = 0;
  pair_.ExpectAlike(c);
}

// Runs of equal scores, each above the one before, with a low one now and then: nearly all passes,
// so that sieving stops and begins again within a run. Each row ends at another place.
TEST_P(SievedScanTest, SelectsTheSameWhereTiesRise) {
  for (const int run : {97, 900, 1500, 2100, 2900}) {
    ScoreCase c = NormalScoreCase(random_, 32, 2, kMaxQueryRows, 1, 700);
    const std::vector<std::byte> one = c.keys;
    c.weights.assign(c.weights.size(), 0.25f);
    for (int i = 1; i < 12000; ++i) {
      c.keys.insert(c.keys.end(), one.begin(), one.end());
      PutFloat(i % 7 == 0 ? 0.0f : static_cast<float>(1 + i / run), &c.keys[i * 36 + 32]);
    }
    for (uint32_t& visible : c.visible) visible = static_cast<uint32_t>(random_.Int(4000, 12000));
    pair_.ExpectAlike(c, 1);
  }
}

TEST_P(SievedScanTest, SelectsTheSameInAnyOrderOfScores) {
  for (const float growth : {0.9995f, 1.0005f}) {
    ScoreCase c = NormalScoreCase(random_, 64, 8, 1, 12000, 64);
    float scale = 1;
    for (size_t i = 0; i < c.entries(); ++i, scale *= growth) PutFloat(scale, &c.keys[i * 68 + 64]);
    pair_.ExpectAlike(c);
  }
}

TEST_P(SievedScanTest, SelectsTheSameAmongNegativeScores) {
  ScoreCase c = NormalScoreCase(random_, 64, 8, 1, 9000, 64);
  for (float& weight : c.weights) weight = -std::abs(weight) - 0.1f;
  pair_.ExpectAlike(c);
  SetScales(&c, -1.5f);
  pair_.ExpectAlike(c);
}

TEST_P(SievedScanTest, SelectsTheSameAtExtremeScales) {
  for (const float scale : {1e-38f, 1e-30f, 1e30f, 3e38f, 0.0f, -3e38f}) {
    ScoreCase c = NormalScoreCase(random_, 32, 4, 1, 5000, 64);
    for (size_t i = 0; i < c.entries(); i += 1 + random_.Int(0, 2)) {
      PutFloat(scale, &c.keys[i * 36 + 32]);
    }
    pair_.ExpectAlike(c);
    for (float& weight : c.weights) weight *= 1e-36f;
    pair_.ExpectAlike(c);
    for (float& weight : c.weights) weight *= 3e36f * 3e36f;
    pair_.ExpectAlike(c);
  }
}

TEST_P(SievedScanTest, SelectsTheSameWhereARowSeesLittle) {
  ScoreCase c = NormalScoreCase(random_, 64, 5, 4, 9000, 200);
  c.visible = {9000, 150, 0, 8999};
  pair_.ExpectAlike(c);
}

// A sieve over the portable variant whose bounds are the scores plus a margin.
struct CountingSieve {
  static inline float margin = 0;
  static inline std::atomic<int> bounded = 0;

  static bool Yes() { return true; }
  static bool Suits(const ScoreQuery&) { return true; }
  static void PrepareRow(const ScoreQuery& query, int row, std::byte* prepared, std::byte*) {
    PortableVariant().prepare_row(query, row, prepared);
  }
  static void Bound(const ScoreQuery& query, const std::byte* prepared, const PageTurn& turn,
                    std::byte* scratch, const PageBounds& to) {
    ++bounded;
    PortableVariant().score_page(query, prepared, turn, scratch, to.bounds);
    std::fill_n(to.passed, query.rows, 0);
    for (int i = 0; i < query.rows * kPageEntries; ++i) {
      const int row = i / kPageEntries;
      to.bounds[i] += margin;
      if (!(to.bounds[i] < to.floors[row])) to.passed[row] |= uint64_t{1} << i % kPageEntries;
    }
  }
};

class CountedScan {
 public:
  static inline std::atomic<int> scored = 0;

  CountedScan() {
    const CpuVariant& portable = PortableVariant();
    sieve_ = {.runs_here = CountingSieve::Yes,
              .suits = CountingSieve::Suits,
              .prepared_bytes = portable.prepared_bytes,
              .prepare_scratch_bytes = [](const ScoreQuery&) -> size_t { return 0; },
              .prepare_row = CountingSieve::PrepareRow,
              .scratch_bytes = portable.score_scratch_bytes,
              .bound_page = CountingSieve::Bound};
    variant_ = portable;
    variant_.score_page = [](const ScoreQuery& query, const std::byte* prepared,
                             const PageTurn& turn, std::byte* scratch, float* scores) {
      ++scored;
      PortableVariant().score_page(query, prepared, turn, scratch, scores);
    };
  }

  void ExpectAlike(const ScoreCase& c, float margin, int threads) {
    CountingSieve::margin = margin;
    CountingSieve::bounded = scored = 0;
    Pair(variant_, sieve_).ExpectAlike(c, threads);
    scored -= static_cast<int>((c.entries() + kPageEntries - 1) / kPageEntries);  // without
  }

 private:
  Sieve sieve_;
  CpuVariant variant_;
};

TEST(SievedScan, ScoresFewEntriesWhereBoundsAreClose) {
  RandomData random(TestSeed());
  CountedScan scan;
  for (const KeyFormat format : {KeyFormat::kFp8E4M3, KeyFormat::kInt8, KeyFormat::kBf16}) {
    ScoreCase c = RandomScoreCase(random, format, 32, 2, 1, 64 * 1000, 20);
    // Scores of negative weights may all be zero, and ties pass.
    c.weights = {0.5f, 1};
    for (const int threads : {1, 3}) {
      scan.ExpectAlike(c, 0, threads);
      EXPECT_GT(CountingSieve::bounded, 900);
      EXPECT_LT(CountedScan::scored, 100);
    }
  }
}

TEST(SievedScan, StopsSievingWhereAllPasses) {
  RandomData random(TestSeed());
  CountedScan scan;
  const ScoreCase c = RandomScoreCase(random, KeyFormat::kFp8E4M3, 32, 2, 1, 64 * 1000, 20);
  for (const float margin :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    scan.ExpectAlike(c, margin, 1);
    EXPECT_GT(CountingSieve::bounded, 0);
    EXPECT_LT(CountingSieve::bounded, 200);
  }
}

TEST(SievedScan, LeavesSmallContextsAlone) {
  RandomData random(TestSeed());
  CountedScan scan;
  const auto is_sieved = [&](int rows, int entries, int k, int threads) {
    scan.ExpectAlike(RandomScoreCase(random, KeyFormat::kFp8E4M3, 32, 2, rows, entries, k), 0,
                     threads);
    return CountingSieve::bounded > 0;
  };
  EXPECT_FALSE(is_sieved(1, 8192 + 24 * 20 - 64, 20, 1));
  EXPECT_TRUE(is_sieved(1, 8192 + 24 * 20 + 64, 20, 1));
  EXPECT_FALSE(is_sieved(1, 8192 + 24 * 600 - 64, 600, 1));
  // Threads wait for a row that is prepared, but not where each has its own.
  EXPECT_FALSE(is_sieved(1, 8192 + 24 * 20 + 64, 20, 2));
  EXPECT_TRUE(is_sieved(1, 2 * 8192 + 24 * 20 + 64, 20, 2));
  EXPECT_TRUE(is_sieved(2, 8192 + 24 * 20 + 64, 20, 2));
}

TEST(SieveTrial, WaitsLongerEachTimeAndForgetsOnceItPays) {
  SieveTrial trial;
  const auto run = [&trial](uint64_t passed) {
    for (int i = 0; i < 16; ++i) trial.Count(64, passed);
    int waits = 0;
    for (; !trial.worthwhile(); ++waits) trial.Wait();
    return waits;
  };
  EXPECT_EQ(run(16), 0);
  EXPECT_EQ(run(17), 16);
  EXPECT_EQ(run(64), 3 * 16);
  EXPECT_EQ(run(64), 7 * 16);
  EXPECT_EQ(run(64), 15 * 16);
  EXPECT_EQ(run(64), 15 * 16);
  EXPECT_EQ(run(0), 0);
  EXPECT_EQ(run(64), 16);
}

}  // namespace
}  // namespace winnow::kernels
