#ifndef WINNOW_TESTS_GPU_SCORE_CASE_H_
#define WINNOW_TESTS_GPU_SCORE_CASE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels::cuda {

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

ScoreCase RandomScoreCase(RandomData& random, KeyFormat format, int dim, int heads, int rows,
                          int entries, int k);

// Sets the fp32 scale of every key.
void SetScales(ScoreCase* c, float scale);

// The case on the device, whose pages hold page_entries entries each.
Selection Evaluate(DeviceApi& device, const CudaBackend& backend, const ScoreCase& c,
                   int page_entries = kPageEntries);
Selection EvaluateByReference(const ScoreCase& c);

// Where a selection is not the reference's: a score beyond the bound of kernels/README.md, or an
// entry that should not have been chosen, unless its score is that close. Empty if nowhere.
Error Disagreement(const ScoreCase& c, const Selection& got);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_SCORE_CASE_H_
