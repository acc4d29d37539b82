#ifndef WINNOW_TESTS_KERNELS_OUTPUT_SPREAD_H_
#define WINNOW_TESTS_KERNELS_OUTPUT_SPREAD_H_

#include <vector>

#include "kernels/backend.h"

namespace winnow::kernels {

// sqrt(sum over rows of (p c)^2), [heads, latent_dim]: what errors of probabilities or rows that
// are independent of each other add up to is proportional to it.
//   params  with LSEs that are right
std::vector<double> OutputSpread(const AttendParams& params);

}  // namespace winnow::kernels

#endif  // WINNOW_TESTS_KERNELS_OUTPUT_SPREAD_H_
