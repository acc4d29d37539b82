#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/backend.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/score_case.h"
#include "tests/kernels/tested_backends.h"

namespace winnow::kernels {
namespace {

constexpr KeyFormat kFormats[] = {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16,
                                  KeyFormat::kInt8};

void ExpectAgrees(const ScoreCase& c, const Selection& got) { EXPECT_EQ(Disagreement(c, got), ""); }

class ScoreTest : public testing::TestWithParam<const Backend*> {
 protected:
  ScoreTest() : random_(TestSeed()) {}

  int RandomDim() { return 32 * random_.Int(1, kMaxIndexDim / 32); }

  RandomData random_;
};

INSTANTIATE_TEST_SUITE_P(EveryVariant, ScoreTest, testing::ValuesIn(TestedBackends()),
                         [](const auto& info) { return std::string(info.param->name()); });

TEST_P(ScoreTest, AgreesWithTheReferenceOnRandomShapes) {
  for (const KeyFormat format : kFormats) {
    for (int round = 0; round < 8; ++round) {
      const ScoreCase c =
          RandomScoreCase(random_, format, RandomDim(), random_.Int(1, 128), random_.Int(1, 3),
                          random_.Int(0, 500), random_.Int(1, 300));
      ExpectAgrees(c, Evaluate(*GetParam(), c));
    }
  }
}

TEST_P(ScoreTest, AgreesOnTheShapesOfPublishedModels) {
  for (const KeyFormat format : kFormats) {
    const ScoreCase c = RandomScoreCase(random_, format, 128, 64, 2, 1500, 256);
    ExpectAgrees(c, Evaluate(*GetParam(), c));
  }
}

TEST_P(ScoreTest, ServesSixtyFourQueryRowsAtOnce) {
  const ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 64, 5, kMaxQueryRows, 300, 20);
  ExpectAgrees(c, Evaluate(*GetParam(), c));
}

TEST_P(ScoreTest, ScoresOfSmallIntegersAreExact) {
  // e4m3 codes of 1 and -1: every partial sum is a small integer, so any order gives the same.
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 128, 4, 1, 3000, 700);
  const auto sign = [&] { return static_cast<std::byte>(random_.Int(0, 1) == 0 ? 0x38 : 0xb8); };
  for (size_t i = 0; i < c.entries(); ++i) {
    for (int d = 0; d < c.dim; ++d) c.keys[i * 132 + d] = sign();
    PutFloat(1, &c.keys[i * 132 + 128]);
  }
  for (std::byte& code : c.queries) code = sign();
  c.weights = {1, 2, 4, 8};
  EXPECT_EQ(Evaluate(*GetParam(), c), Evaluate(*ChooseBackend("reference"), c));
}

TEST_P(ScoreTest, TiesGoToTheLowerPosition) {
  ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 3, 1, 1, 100);
  const std::vector<std::byte> one = c.keys;
  for (int i = 1; i < 5000; ++i) c.keys.insert(c.keys.end(), one.begin(), one.end());
  c.visible = {5000};
  const auto selected = Evaluate(*GetParam(), c);
  ASSERT_EQ(selected[0].size(), 100u);
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(selected[0][i].position, i);
}

TEST_P(ScoreTest, SelectsAmongNegativeScores) {
  for (const KeyFormat format : kFormats) {
    ScoreCase c = RandomScoreCase(random_, format, 64, 8, 1, 900, 50);
    for (float& weight : c.weights) weight = -std::abs(weight) - 0.1f;
    ExpectAgrees(c, Evaluate(*GetParam(), c));
  }
}

TEST_P(ScoreTest, ReturnsAllEntriesWhenKIsLarger) {
  for (const KeyFormat format : kFormats) {
    const ScoreCase c = RandomScoreCase(random_, format, 32, 2, 1, 77, 5000);
    const Selection got = Evaluate(*GetParam(), c);
    ASSERT_EQ(got[0].size(), 77u);
    ExpectAgrees(c, got);
  }
}

TEST_P(ScoreTest, ReturnsNothingWithoutCandidates) {
  const ScoreCase none = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, 2, 0, 5);
  for (const auto& row : Evaluate(*GetParam(), none)) EXPECT_TRUE(row.empty());
  ScoreCase invisible = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, 1, 100, 5);
  invisible.visible = {0};
  EXPECT_TRUE(Evaluate(*GetParam(), invisible)[0].empty());
}

TEST_P(ScoreTest, AgreesOnEveryHeadCount) {
  for (int heads = 1; heads <= kMaxIndexHeads; ++heads) {
    for (const KeyFormat format : kFormats) {
      const ScoreCase c = RandomScoreCase(random_, format, RandomDim(), heads, 1, 20, 5);
      ExpectAgrees(c, Evaluate(*GetParam(), c));
    }
  }
}

TEST_P(ScoreTest, AgreesOnEveryCountAroundAPage) {
  for (int entries : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097}) {
    for (const KeyFormat format : kFormats) {
      const ScoreCase c = RandomScoreCase(random_, format, RandomDim(), 3, 1, entries, 33);
      ExpectAgrees(c, Evaluate(*GetParam(), c));
    }
  }
}

TEST_P(ScoreTest, OfEqualScoresTheLowestPositionsAreSelected) {
  for (const KeyFormat format : kFormats) {
    ScoreCase c = RandomScoreCase(random_, format, 64, 5, 2, 9000, 2500);
    for (float& weight : c.weights) weight = 0;
    c.visible = {9000, 3000};
    const auto selected = Evaluate(*GetParam(), c);
    for (const auto& row : selected) {
      ASSERT_EQ(row.size(), 2500u);
      for (uint32_t i = 0; i < row.size(); ++i) ASSERT_EQ(row[i], (Candidate{0.0f, i}));
    }
  }
}

// Of 20,000 entries the best 100 are sieved where a variant can.
TEST_P(ScoreTest, DoesNotDependOnThreads) {
  for (const KeyFormat format : kFormats) {
    for (const int k : {100, 2000}) {
      const ScoreCase c = RandomScoreCase(random_, format, 64, 7, 2, 20000, k);
      const PagedKeys paged(c.format, c.dim, c.keys);
      const std::vector<KeyPage> pages = Pages(paged);
      const Selection one = Evaluate(*GetParam(), c, pages, 1);
      EXPECT_EQ(Evaluate(*GetParam(), c, pages, 2), one);
      EXPECT_EQ(Evaluate(*GetParam(), c, pages, 5), one);
    }
  }
}

TEST_P(ScoreTest, DoesNotDependOnHowEntriesArePaged) {
  for (const KeyFormat format : kFormats) {
    const ScoreCase c = RandomScoreCase(random_, format, 96, 9, 1, 333, 333);
    const size_t key_bytes = KeyBytes(format, c.dim);
    // The same entries, a few to each page, so that each lies in another lane than before.
    std::vector<PagedKeys> parts;
    std::vector<uint32_t> starts;
    for (size_t at = 0; at < c.entries();) {
      const size_t count = std::min<size_t>(random_.Int(1, 40), c.entries() - at);
      parts.emplace_back(format, c.dim,
                         std::vector<std::byte>(c.keys.begin() + at * key_bytes,
                                                c.keys.begin() + (at + count) * key_bytes));
      starts.push_back(static_cast<uint32_t>(at));
      at += count;
    }
    std::vector<KeyPage> pages;
    for (size_t i = 0; i < parts.size(); ++i) {
      for (const KeyPage& page : Pages(parts[i], starts[i])) pages.push_back(page);
    }
    EXPECT_EQ(Evaluate(*GetParam(), c, pages), Evaluate(*GetParam(), c));
  }
}

TEST_P(ScoreTest, StopsWhenCancelled) {
  const ScoreCase c = RandomScoreCase(random_, KeyFormat::kFp8E4M3, 32, 2, 1, 200, 10);
  const PagedKeys paged(c.format, c.dim, c.keys);
  const std::vector<KeyPage> pages = Pages(paged);
  const std::atomic<bool> cancelled = true;
  WorkerPool pool(2);
  ScoreTopKResult result;
  ScoreTopKParams params = Params(c, pages);
  params.cancelled = &cancelled;
  GetParam()->ScoreTopK(params, pool, &result);
  EXPECT_FALSE(result.complete);
}

TEST(Registry, OffersTheReferenceAndThePortableVariantEverywhere) {
  ASSERT_NE(ChooseBackend("reference"), nullptr);
  ASSERT_NE(ChooseBackend("portable"), nullptr);
  EXPECT_EQ(ChooseBackend("no-such"), nullptr);
  EXPECT_EQ(ChooseBackend(), AvailableBackends().back());
}

}  // namespace
}  // namespace winnow::kernels
