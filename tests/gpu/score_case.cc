#include "tests/gpu/score_case.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/reference/formats.h"
#include "kernels/reference/reference_backend.h"
#include "tests/gpu/device_array.h"

namespace winnow::kernels::cuda {
namespace {

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

// The arranged pages one after another, page_entries entries in each.
std::vector<std::byte> Arrange(const ScoreCase& c, int page_entries) {
  const size_t page_bytes = KeyPageBytes(c.format, c.dim);
  const size_t pages = (c.entries() + page_entries - 1) / page_entries;
  // What a page does not hold may be anything: here NaN where there is such a thing.
  std::vector<std::byte> arranged(pages * page_bytes, std::byte{0xff});
  for (size_t i = 0; i < pages; ++i) {
    const size_t first = i * page_entries;
    ArrangeKeys(c.format, c.dim, &c.keys[first * KeyBytes(c.format, c.dim)], 0,
                static_cast<int>(std::min<size_t>(page_entries, c.entries() - first)),
                &arranged[i * page_bytes]);
  }
  return arranged;
}

std::vector<KeyPage> Pages(const ScoreCase& c, const std::byte* arranged, int page_entries) {
  std::vector<KeyPage> pages;
  for (size_t first = 0; first < c.entries(); first += page_entries) {
    const size_t count = std::min<size_t>(page_entries, c.entries() - first);
    pages.push_back({arranged + pages.size() * KeyPageBytes(c.format, c.dim),
                     static_cast<uint32_t>(first), static_cast<uint32_t>(count)});
  }
  return pages;
}

double Bound(const ScoreCase& c, size_t position, int row) {
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

Error Describe(const char* what, int row, const Candidate& got) {
  return std::string(what) + ": row " + std::to_string(row) + ", position " +
         std::to_string(got.position) + ", score " + std::to_string(got.score);
}

Error RowDisagreement(const ScoreCase& c, int row, const std::vector<Candidate>& reference,
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
  const double last_bound = Bound(c, last.position, row);
  for (size_t i = 0; i < expected; ++i) {
    const Candidate& g = got[i];
    if (g.position >= c.visible[row]) return Describe("not visible", row, g);
    if (i > 0 && !Better(got[i - 1], g)) return Describe("out of order", row, g);
    const double bound = Bound(c, g.position, row);
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
Error Repetition(int row, const std::vector<Candidate>& got) {
  std::set<uint32_t> seen;
  for (const Candidate& g : got) {
    if (!seen.insert(g.position).second) return Describe("chosen twice", row, g);
  }
  return "";
}

}  // namespace

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

void SetScales(ScoreCase* c, float scale) {
  const size_t key_bytes = KeyBytes(c->format, c->dim);
  for (size_t i = 0; i < c->entries(); ++i) {
    PutFloat(scale, &c->keys[i * key_bytes + KeyCodeBytes(c->format, c->dim)]);
  }
}

Selection Evaluate(DeviceApi& device, const CudaBackend& backend, const ScoreCase& c,
                   int page_entries) {
  DeviceArray<std::byte> arranged(device, Arrange(c, page_entries));
  const std::vector<KeyPage> pages = Pages(c, arranged.data(), page_entries);
  ScoreTopKResult result;
  Must(backend.TryScoreTopK(Params(c, pages), &result));
  Must(result.complete ? "" : "a selection is not complete");
  return result.selected;
}

Selection EvaluateByReference(const ScoreCase& c) {
  const std::vector<std::byte> arranged = Arrange(c, kPageEntries);
  const std::vector<KeyPage> pages = Pages(c, arranged.data(), kPageEntries);
  WorkerPool pool(1);
  ScoreTopKResult result;
  ReferenceBackend()->ScoreTopK(Params(c, pages), pool, &result);
  return result.selected;
}

Error Disagreement(const ScoreCase& c, const Selection& got) {
  ScoreCase all = c;
  all.k = static_cast<int>(c.entries());
  const Selection reference = EvaluateByReference(all);
  if (got.size() != reference.size()) return "not as many lists as query rows";
  for (int row = 0; row < c.rows; ++row) {
    Error error = RowDisagreement(c, row, reference[row], got[row]);
    if (error.empty()) error = Repetition(row, got[row]);
    if (!error.empty()) return error;
  }
  return "";
}

}  // namespace winnow::kernels::cuda
