#include "kernels/cpu/sieve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
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

TEST_P(SieveTest, NoScoreIsAboveItsBound) {
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
    const std::vector<float> bounds = BoundsOf(random_, *GetParam(), c);
    for (const Backend* backend : {&plain(), ChooseBackend("reference")}) {
      const std::vector<float> scores = ScoresOf(*backend, c);
      for (size_t i = 0; i < scores.size(); ++i) {
        ASSERT_FALSE(bounds[i] < scores[i])
            << backend->name() << " " << dim << " x " << heads << ", entry " << i << ": "
            << scores[i] << " above " << bounds[i];
      }
    }
  }
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
