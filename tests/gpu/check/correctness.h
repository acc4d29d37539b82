#ifndef WINNOW_TESTS_GPU_CHECK_CORRECTNESS_H_
#define WINNOW_TESTS_GPU_CHECK_CORRECTNESS_H_

#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

// Compares every kernel with the reference on fresh random inputs; `small` is for running under
// compute-sanitizer. Prints what disagrees; returns how many cases do.
int CountDisagreements(DeviceApi& device, bool small);

// Multiplies once by a group of warps in each layout, on the present device, which must have
// groups. Prints which products are wrong; returns how many.
int CountWrongProducts();

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_CHECK_CORRECTNESS_H_
