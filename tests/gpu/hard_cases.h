#ifndef WINNOW_TESTS_GPU_HARD_CASES_H_
#define WINNOW_TESTS_GPU_HARD_CASES_H_

#include <vector>

#include "tests/gpu/attention_case.h"

namespace winnow::kernels::cuda {

struct HardCase {
  const char* name;
  AttentionCase c;
  AttentionInputs in;
};

// Attention over rows of 512 + 64 dims that meets what random inputs do not: the edges of blocks of
// 64 rows, rows at any address, and probabilities whose unit changes from block to block.
std::vector<HardCase> HardCases(RandomData& random, RowFormat format, int heads);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_HARD_CASES_H_
