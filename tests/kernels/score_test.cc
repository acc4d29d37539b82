#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>

#include "kernels/backend.h"
#include "kernels/reference/formats.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels {
namespace {

constexpr KeyFormat kFormats[] = {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16,
                                  KeyFormat::kInt8};

// A query over keys, owning all it points to.
struct Case {
  KeyFormat format = KeyFormat::kFp8E4M3;
  int dim = 128;
  int heads = 64;
  int rows = 1;
  int k = 32;
  std::vector<std::byte> keys;  // entry-major
  std::vector<std::byte> queries;
  std::vector<float> weights;
  std::vector<uint32_t> visible;

  size_t entries() const { return keys.size() / KeyBytes(format, dim); }
};

Case RandomCase(RandomData& random, KeyFormat format, int dim, int heads, int rows, int entries,
                int k) {
  Case c{.format = format, .dim = dim, .heads = heads, .rows = rows, .k = k};
  c.keys = random.Keys(format, dim, entries);
  c.queries = random.Queries(format, dim, rows * heads);
  c.weights = random.Floats(rows * heads, -1.0f, 1.0f);
  for (int row = 0; row < rows; ++row) {
    c.visible.push_back(static_cast<uint32_t>(row == 0 ? entries : random.Int(0, entries)));
  }
  return c;
}

std::vector<KeyPage> Pages(const PagedKeys& paged, uint32_t first_position = 0) {
  std::vector<KeyPage> pages;
  for (size_t i = 0; i < paged.pages(); ++i) {
    pages.push_back({.keys = paged.page(i),
                     .first_position = first_position + static_cast<uint32_t>(i * kPageEntries),
                     .entries = static_cast<uint32_t>(
                         std::min<size_t>(kPageEntries, paged.entries() - i * kPageEntries))});
  }
  return pages;
}

std::vector<std::vector<Candidate>> Evaluate(const Backend& backend, const Case& c,
                                             std::span<const KeyPage> pages, int threads = 2) {
  WorkerPool pool(threads);
  ScoreTopKResult result;
  backend.ScoreTopK({.query = {.format = c.format,
                               .rows = c.rows,
                               .heads = c.heads,
                               .dim = c.dim,
                               .queries = c.queries.data(),
                               .weights = c.weights.data()},
                     .pages = pages,
                     .visible_entries = c.visible,
                     .k = c.k,
                     .cancelled = nullptr},
                    pool, &result);
  EXPECT_TRUE(result.complete);
  return result.selected;
}

std::vector<std::vector<Candidate>> Evaluate(const Backend& backend, const Case& c,
                                             int threads = 2) {
  const PagedKeys paged(c.format, c.dim, c.keys);
  return Evaluate(backend, c, Pages(paged), threads);
}

const Backend& Reference() { return *ChooseBackend("reference"); }

// How far an fp32 score may be from the reference: see kernels/README.md.
double Bound(const Case& c, size_t position, int row) {
  std::vector<float> key(c.dim), query(c.dim);
  const std::byte* bytes = &c.keys[position * KeyBytes(c.format, c.dim)];
  DecodeCodes(c.format, c.dim, bytes, key.data());
  double sum = 0;
  for (int head = 0; head < c.heads; ++head) {
    const int q = row * c.heads + head;
    DecodeCodes(c.format, c.dim, &c.queries[q * QueryBytes(c.format, c.dim)], query.data());
    double magnitude = 0;
    for (int d = 0; d < c.dim; ++d) magnitude += std::abs(double{query[d]} * key[d]);
    sum += std::abs(double{c.weights[q]}) * magnitude;
  }
  const double scale = std::abs(DecodeKeyScale(c.format, c.dim, bytes));
  return (c.dim + c.heads + 4) * std::ldexp(1.0, -24) * sum * scale + 1e-36;
}

// Scores within the bound, and the same selection but for entries whose scores are that close.
void ExpectAgrees(const Case& c, const std::vector<std::vector<Candidate>>& got) {
  Case all = c;
  all.k = kMaxTopK;
  const auto reference = Evaluate(Reference(), all, 1);
  ASSERT_LE(c.entries(), static_cast<size_t>(kMaxTopK));
  ASSERT_EQ(got.size(), reference.size());
  for (int row = 0; row < c.rows; ++row) {
    std::vector<float> score_of(c.entries());
    for (const Candidate& r : reference[row]) score_of[r.position] = r.score;
    const size_t expected = std::min<size_t>(c.k, reference[row].size());
    ASSERT_EQ(got[row].size(), expected) << "row " << row;
    if (expected == 0) continue;
    const Candidate& last = reference[row][expected - 1];
    std::set<uint32_t> seen;
    for (size_t i = 0; i < expected; ++i) {
      const Candidate& g = got[row][i];
      ASSERT_LT(g.position, c.visible[row]);
      ASSERT_TRUE(seen.insert(g.position).second) << "position " << g.position << " twice";
      if (i > 0) {
        ASSERT_TRUE(Better(got[row][i - 1], g));
      }
      const double bound = Bound(c, g.position, row);
      ASSERT_NEAR(g.score, score_of[g.position], bound) << "position " << g.position;
      ASSERT_GE(score_of[g.position], last.score - bound - Bound(c, last.position, row))
          << "position " << g.position << " is not among the best";
    }
  }
}

class ScoreTest : public testing::TestWithParam<const Backend*> {
 protected:
  ScoreTest() : random_(TestSeed()) {}
  RandomData random_;
};

INSTANTIATE_TEST_SUITE_P(EveryVariant, ScoreTest, testing::ValuesIn(AvailableBackends()),
                         [](const auto& info) { return std::string(info.param->name()); });

TEST_P(ScoreTest, AgreesWithTheReferenceOnRandomShapes) {
  for (const KeyFormat format : kFormats) {
    for (int round = 0; round < 8; ++round) {
      const Case c = RandomCase(random_, format, 32 * random_.Int(1, 8), random_.Int(1, 128),
                                random_.Int(1, 3), random_.Int(0, 500), random_.Int(1, 300));
      ExpectAgrees(c, Evaluate(*GetParam(), c));
    }
  }
}

TEST_P(ScoreTest, AgreesOnTheShapesOfPublishedModels) {
  for (const KeyFormat format : kFormats) {
    const Case c = RandomCase(random_, format, 128, 64, 2, 1500, 256);
    ExpectAgrees(c, Evaluate(*GetParam(), c));
  }
}

TEST_P(ScoreTest, ServesSixtyFourQueryRowsAtOnce) {
  const Case c = RandomCase(random_, KeyFormat::kFp8E4M3, 64, 5, kMaxQueryRows, 300, 20);
  ExpectAgrees(c, Evaluate(*GetParam(), c));
}

TEST_P(ScoreTest, ScoresOfSmallIntegersAreExact) {
  // e4m3 codes of 1 and -1: every partial sum is a small integer, so any order gives the same.
  Case c = RandomCase(random_, KeyFormat::kFp8E4M3, 128, 4, 1, 3000, 700);
  const auto sign = [&] { return static_cast<std::byte>(random_.Int(0, 1) == 0 ? 0x38 : 0xb8); };
  for (size_t i = 0; i < c.entries(); ++i) {
    for (int d = 0; d < c.dim; ++d) c.keys[i * 132 + d] = sign();
    PutFloat(1, &c.keys[i * 132 + 128]);
  }
  for (std::byte& code : c.queries) code = sign();
  c.weights = {1, 2, 4, 8};
  EXPECT_EQ(Evaluate(*GetParam(), c), Evaluate(Reference(), c));
}

TEST_P(ScoreTest, TiesGoToTheLowerPosition) {
  Case c = RandomCase(random_, KeyFormat::kFp8E4M3, 32, 3, 1, 1, 100);
  const std::vector<std::byte> one = c.keys;
  for (int i = 1; i < 5000; ++i) c.keys.insert(c.keys.end(), one.begin(), one.end());
  c.visible = {5000};
  const auto selected = Evaluate(*GetParam(), c);
  ASSERT_EQ(selected[0].size(), 100u);
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(selected[0][i].position, i);
}

TEST_P(ScoreTest, SelectsAmongNegativeScores) {
  Case c = RandomCase(random_, KeyFormat::kInt8, 64, 8, 1, 900, 50);
  for (float& weight : c.weights) weight = -std::abs(weight) - 0.1f;
  ExpectAgrees(c, Evaluate(*GetParam(), c));
}

TEST_P(ScoreTest, ReturnsAllEntriesWhenKIsLarger) {
  const Case c = RandomCase(random_, KeyFormat::kBf16, 32, 2, 1, 77, 5000);
  EXPECT_EQ(Evaluate(*GetParam(), c)[0].size(), 77u);
}

TEST_P(ScoreTest, ReturnsNothingWithoutCandidates) {
  const Case none = RandomCase(random_, KeyFormat::kFp8E4M3, 32, 2, 2, 0, 5);
  for (const auto& row : Evaluate(*GetParam(), none)) EXPECT_TRUE(row.empty());
  Case invisible = RandomCase(random_, KeyFormat::kFp8E4M3, 32, 2, 1, 100, 5);
  invisible.visible = {0};
  EXPECT_TRUE(Evaluate(*GetParam(), invisible)[0].empty());
}

TEST_P(ScoreTest, HandlesExtremeScales) {
  for (const float scale : {1e-38f, 1e-30f, 1e30f, -1.0f, 0.0f, 3e38f}) {
    Case c = RandomCase(random_, KeyFormat::kFp8E4M3, 32, 4, 1, 130, 130);
    for (size_t i = 0; i < c.entries(); ++i) PutFloat(scale, &c.keys[i * 36 + 32]);
    const auto got = Evaluate(*GetParam(), c);
    ASSERT_EQ(got[0].size(), 130u);
    for (const Candidate& candidate : got[0]) {
      EXPECT_FALSE(std::isnan(candidate.score));
      EXPECT_FALSE(candidate.score == 0 && std::signbit(candidate.score));
    }
    if (scale < 1e30f) ExpectAgrees(c, got);
  }
}

TEST_P(ScoreTest, HandlesSubnormalCodes) {
  Case c = RandomCase(random_, KeyFormat::kFp8E4M3, 64, 4, 1, 200, 40);
  for (size_t i = 0; i < c.entries(); ++i) {
    for (int d = 0; d < c.dim; ++d) c.keys[i * 68 + d] &= std::byte{0x87};
  }
  ExpectAgrees(c, Evaluate(*GetParam(), c));
}

TEST_P(ScoreTest, DoesNotDependOnThreads) {
  const Case c = RandomCase(random_, KeyFormat::kFp8E4M3, 64, 7, 2, 12345, 1000);
  const auto one = Evaluate(*GetParam(), c, 1);
  EXPECT_EQ(Evaluate(*GetParam(), c, 2), one);
  EXPECT_EQ(Evaluate(*GetParam(), c, 5), one);
}

TEST_P(ScoreTest, DoesNotDependOnHowEntriesArePaged) {
  for (const KeyFormat format : kFormats) {
    const Case c = RandomCase(random_, format, 96, 9, 1, 333, 333);
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
  const Case c = RandomCase(random_, KeyFormat::kFp8E4M3, 32, 2, 1, 200, 10);
  const PagedKeys paged(c.format, c.dim, c.keys);
  const std::vector<KeyPage> pages = Pages(paged);
  const std::atomic<bool> cancelled = true;
  WorkerPool pool(2);
  ScoreTopKResult result;
  GetParam()->ScoreTopK({.query = {.format = c.format,
                                   .rows = 1,
                                   .heads = c.heads,
                                   .dim = c.dim,
                                   .queries = c.queries.data(),
                                   .weights = c.weights.data()},
                         .pages = pages,
                         .visible_entries = c.visible,
                         .k = c.k,
                         .cancelled = &cancelled},
                        pool, &result);
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
