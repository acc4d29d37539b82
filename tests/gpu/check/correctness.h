#ifndef WINNOW_TESTS_GPU_CHECK_CORRECTNESS_H_
#define WINNOW_TESTS_GPU_CHECK_CORRECTNESS_H_

#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

// Whether this machine has a GPU of 8.0 or later: if it cannot be opened, that is a failure.
bool HasGpu();

// Compares every kernel with the reference on fresh random inputs; `small` is for running under
// compute-sanitizer. Prints what disagrees; returns how many cases do.
int CountDisagreements(DeviceApi& device, bool small);

// Multiplies once by a group of warps in each layout, on the present device, which must have
// groups. Prints which products are wrong; returns how many.
int CountWrongProducts();

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_CHECK_CORRECTNESS_H_
