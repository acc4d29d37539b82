#ifndef WINNOW_TESTS_GPU_EXPECT_SELECTED_H_
#define WINNOW_TESTS_GPU_EXPECT_SELECTED_H_

#include "tests/support/sample.h"

namespace winnow::testing {

// Fails unless the rows are what the reference selects of the sample's first layer, but for scores
// that fp32 cannot tell apart.
void ExpectSelected(const Sample& sample, const SampleQuery& query, const CandidateRows& rows);

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_GPU_EXPECT_SELECTED_H_
