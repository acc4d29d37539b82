#include "tests/kernels/score_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/reference/formats.h"

namespace winnow::kernels {

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

std::vector<KeyPage> Pages(const PagedKeys& paged, uint32_t first_position) {
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
                                             std::span<const KeyPage> pages, int threads) {
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

std::vector<std::vector<Candidate>> Evaluate(const Backend& backend, const Case& c, int threads) {
  const PagedKeys paged(c.format, c.dim, c.keys);
  return Evaluate(backend, c, Pages(paged), threads);
}

double ScoreBound(const Case& c, size_t position, int row) {
  std::vector<float> key(c.dim), query(c.dim);
  const std::byte* bytes = &c.keys[position * KeyBytes(c.format, c.dim)];
  DecodeCodes(c.format, c.dim, bytes, key.data());
  double sum = 0;
  double flush_slack = 1e-36;
  for (int head = 0; head < c.heads; ++head) {
    const int q = row * c.heads + head;
    DecodeCodes(c.format, c.dim, &c.queries[q * QueryBytes(c.format, c.dim)], query.data());
    double magnitude = 0;
    for (int d = 0; d < c.dim; ++d) magnitude += std::abs(double{query[d]} * key[d]);
    sum += std::abs(double{c.weights[q]}) * magnitude;
    if (c.format != KeyFormat::kBf16) continue;
    double flushed = 0;
    for (int d = 0; d < c.dim; ++d)
      flushed += std::abs(double{query[d]}) + std::abs(double{key[d]});
    flush_slack += std::abs(double{c.weights[q]}) * std::ldexp(flushed, -126);
  }
  const double scale = std::abs(DecodeKeyScale(c.format, c.dim, bytes));
  return (c.dim + c.heads + 4) * std::ldexp(1.0, -24) * sum * scale + flush_slack;
}

void ExpectAgrees(const Case& c, const std::vector<std::vector<Candidate>>& got) {
  Case all = c;
  all.k = kMaxTopK;
  const auto reference = Evaluate(*ChooseBackend("reference"), all, 1);
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
      const double bound = ScoreBound(c, g.position, row);
      ASSERT_NEAR(g.score, score_of[g.position], bound) << "position " << g.position;
      ASSERT_GE(score_of[g.position], last.score - bound - ScoreBound(c, last.position, row))
          << "position " << g.position << " is not among the best";
    }
  }
}

}  // namespace winnow::kernels
