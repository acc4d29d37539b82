#include "tests/kernels/score_case.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/reference/formats.h"
#include "kernels/reference/reference_backend.h"

namespace winnow::kernels {
namespace {

std::string Describe(const char* what, int row, const Candidate& got) {
  return std::string(what) + ": row " + std::to_string(row) + ", position " +
         std::to_string(got.position) + ", score " + std::to_string(got.score);
}

std::string RowDisagreement(const ScoreCase& c, int row, const std::vector<Candidate>& reference,
                            const std::vector<Candidate>& got) {
  std::vector<float> score_of(c.entries());
  for (const Candidate& r : reference) score_of[r.position] = r.score;
  const size_t expected = std::min<size_t>(c.k, reference.size());
  if (got.size() != expected) {
    return "row " + std::to_string(row) + " has " + std::to_string(got.size()) +
           " candidates instead of " + std::to_string(expected);
  }
  if (expected == 0) return "";
  const Candidate& last = reference[expected - 1];
  const double last_bound = ScoreBound(c, last.position, row);
  for (size_t i = 0; i < expected; ++i) {
    const Candidate& g = got[i];
    if (g.position >= c.visible[row]) return Describe("not visible", row, g);
    if (i > 0 && !Better(got[i - 1], g)) return Describe("out of order", row, g);
    const double bound = ScoreBound(c, g.position, row);
    if (!(std::abs(double{g.score} - score_of[g.position]) <= bound)) {
      return Describe("wrong score", row, g);
    }
    if (score_of[g.position] < last.score - bound - last_bound) {
      return Describe("not among the best", row, g);
    }
  }
  return "";
}

// Better() is strict, but scores may differ between two places of one position.
std::string Repetition(int row, const std::vector<Candidate>& got) {
  std::set<uint32_t> seen;
  for (const Candidate& g : got) {
    if (!seen.insert(g.position).second) return Describe("chosen twice", row, g);
  }
  return "";
}

// e4m3 codes of about normally distributed values, the largest 448.
void MakeNormal(RandomData& random, int dim, size_t key_bytes, std::vector<std::byte>* keys) {
  for (size_t at = 0; at < keys->size(); at += key_bytes) {
    for (int d = 0; d < dim; ++d) {
      const float value = random.Float(-1, 1) + random.Float(-1, 1) + random.Float(-1, 1);
      const float magnitude = std::min(std::abs(value) * 150, 448.0f);
      int exponent = 0;
      const float mantissa = std::frexp(std::max(magnitude, 0.02f), &exponent);  // 0.5..1
      const int code = (exponent + 6) << 3 | static_cast<int>((2 * mantissa - 1) * 8);
      (*keys)[at + d] = static_cast<std::byte>(std::clamp(code, 0, 0x7e) | (value < 0 ? 0x80 : 0));
    }
  }
}

}  // namespace

double ScoreBound(const ScoreCase& c, size_t position, int row) {
  std::vector<double> key(c.dim), query(c.dim);
  const std::byte* bytes = &c.keys[position * KeyBytes(c.format, c.dim)];
  DecodeCodes(c.format, c.dim, bytes, key.data());
  double sum = 0;
  double flush_slack = 0;
  for (int head = 0; head < c.heads; ++head) {
    const int q = row * c.heads + head;
    DecodeCodes(c.format, c.dim, &c.queries[q * QueryBytes(c.format, c.dim)], query.data());
    double magnitude = 0;
    for (int d = 0; d < c.dim; ++d) magnitude += std::abs(query[d] * key[d]);
    sum += std::abs(double{c.weights[q]}) * magnitude;
    if (c.format != KeyFormat::kBf16) continue;
    double flushed = 2.0 * c.dim;
    for (int d = 0; d < c.dim; ++d) flushed += std::abs(query[d]) + std::abs(key[d]);
    flush_slack += std::abs(double{c.weights[q]}) * std::ldexp(flushed, -126);
  }
  const double scale = std::abs(DecodeKeyScale(c.format, c.dim, bytes));
  return (c.dim + c.heads + 4) * std::ldexp(1.0, -24) * sum * scale + flush_slack;
}

ScoreCase RandomScoreCase(RandomData& random, KeyFormat format, int dim, int heads, int rows,
                          int entries, int k) {
  ScoreCase c{.format = format, .dim = dim, .heads = heads, .rows = rows, .k = k};
  c.keys = random.Keys(format, dim, entries);
  c.queries = random.Queries(format, dim, rows * heads);
  c.weights = random.Floats(rows * heads, -1.0f, 1.0f);
  for (int row = 0; row < rows; ++row) {
    c.visible.push_back(static_cast<uint32_t>(row == 0 ? entries : random.Int(0, entries)));
  }
  return c;
}

ScoreCase NormalScoreCase(RandomData& random, int dim, int heads, int rows, int entries, int k) {
  ScoreCase c = RandomScoreCase(random, KeyFormat::kFp8E4M3, dim, heads, rows, entries, k);
  MakeNormal(random, dim, KeyBytes(c.format, dim), &c.keys);
  MakeNormal(random, dim, QueryBytes(c.format, dim), &c.queries);
  return c;
}

void SetScales(ScoreCase* c, float scale) {
  const size_t key_bytes = KeyBytes(c->format, c->dim);
  for (size_t i = 0; i < c->entries(); ++i) {
    PutFloat(scale, &c->keys[i * key_bytes + KeyCodeBytes(c->format, c->dim)]);
  }
}

void SetMxFp4Scales(int dim, std::vector<std::byte>* values, const std::function<int()>& code) {
  const size_t code_bytes = KeyCodeBytes(KeyFormat::kMxFp4, dim);
  for (size_t i = 0; i < values->size(); ++i) {
    if (i % KeyBytes(KeyFormat::kMxFp4, dim) < code_bytes) continue;
    (*values)[i] = static_cast<std::byte>(code());
  }
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

ScoreTopKParams Params(const ScoreCase& c, std::span<const KeyPage> pages) {
  return {.query = {.format = c.format,
                    .rows = c.rows,
                    .heads = c.heads,
                    .dim = c.dim,
                    .queries = c.queries.data(),
                    .weights = c.weights.data()},
          .pages = pages,
          .visible_entries = c.visible,
          .k = c.k,
          .cancelled = nullptr};
}

Selection Evaluate(const Backend& backend, const ScoreCase& c, std::span<const KeyPage> pages,
                   int threads) {
  WorkerPool pool(threads);
  ScoreTopKResult result;
  backend.ScoreTopK(Params(c, pages), pool, &result);
  return result.complete ? result.selected : Selection();
}

Selection Evaluate(const Backend& backend, const ScoreCase& c, int threads) {
  const PagedKeys paged(c.format, c.dim, c.keys);
  return Evaluate(backend, c, Pages(paged), threads);
}

std::string Disagreement(const ScoreCase& c, const Selection& got) {
  ScoreCase all = c;
  all.k = static_cast<int>(c.entries());
  const Selection reference = Evaluate(*ReferenceBackend(), all, 1);
  if (got.size() != reference.size()) return "not as many lists as query rows";
  for (int row = 0; row < c.rows; ++row) {
    std::string error = RowDisagreement(c, row, reference[row], got[row]);
    if (error.empty()) error = Repetition(row, got[row]);
    if (!error.empty()) return error;
  }
  return "";
}

}  // namespace winnow::kernels
