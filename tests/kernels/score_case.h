#ifndef WINNOW_TESTS_KERNELS_SCORE_CASE_H_
#define WINNOW_TESTS_KERNELS_SCORE_CASE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels {

// A query over keys, owning all it points to.
struct ScoreCase {
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

using Selection = std::vector<std::vector<Candidate>>;

// Random keys, queries and weights; the first query row sees all entries, the others some.
ScoreCase RandomScoreCase(RandomData& random, KeyFormat format, int dim, int heads, int rows,
                          int entries, int k);

// The same of fp8 keys and queries as quantisation leaves them: their values about normally
// distributed, the largest 448.
ScoreCase NormalScoreCase(RandomData& random, int dim, int heads, int rows, int entries, int k);

// Sets the fp32 scale of every key.
void SetScales(ScoreCase* c, float scale);

// Sets the UE8M0 scale of every block of MXFP4 keys or queries.
void SetMxFp4Scales(int dim, std::vector<std::byte>* values, const std::function<int()>& code);

std::vector<KeyPage> Pages(const PagedKeys& paged, uint32_t first_position = 0);
ScoreTopKParams Params(const ScoreCase& c, std::span<const KeyPage> pages);

// What a variant selects, over the given pages or over the case's own; nothing if it stopped early.
Selection Evaluate(const Backend& backend, const ScoreCase& c, std::span<const KeyPage> pages,
                   int threads = 2);
Selection Evaluate(const Backend& backend, const ScoreCase& c, int threads = 2);

// How far an fp32 score may be from the reference: see kernels/README.md.
double ScoreBound(const ScoreCase& c, size_t position, int row);

// Where a selection is not the reference's: a score beyond its bound, or an entry that should not
// have been chosen, unless its score is that close. Empty if nowhere.
std::string Disagreement(const ScoreCase& c, const Selection& got);

}  // namespace winnow::kernels

#endif  // WINNOW_TESTS_KERNELS_SCORE_CASE_H_
