#ifndef WINNOW_TESTS_KERNELS_SCORE_CASE_H_
#define WINNOW_TESTS_KERNELS_SCORE_CASE_H_

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels {

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

// Random keys, queries and weights; the first query row sees all entries, the others some.
Case RandomCase(RandomData& random, KeyFormat format, int dim, int heads, int rows, int entries,
                int k);

std::vector<KeyPage> Pages(const PagedKeys& paged, uint32_t first_position = 0);

// What a variant selects, over the given pages or over the case's own.
std::vector<std::vector<Candidate>> Evaluate(const Backend& backend, const Case& c,
                                             std::span<const KeyPage> pages, int threads = 2);
std::vector<std::vector<Candidate>> Evaluate(const Backend& backend, const Case& c,
                                             int threads = 2);

// How far an fp32 score may be from the reference: see kernels/README.md.
double ScoreBound(const Case& c, size_t position, int row);

// Fails unless scores are within the bound of the reference's, and the selection is the same but
// for entries whose scores are that close.
void ExpectAgrees(const Case& c, const std::vector<std::vector<Candidate>>& got);

}  // namespace winnow::kernels

#endif  // WINNOW_TESTS_KERNELS_SCORE_CASE_H_
