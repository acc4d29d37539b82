#ifndef WINNOW_KERNELS_CUDA_SIMULATOR_SIMULATED_KERNELS_H_
#define WINNOW_KERNELS_CUDA_SIMULATOR_SIMULATED_KERNELS_H_

#include <string>

#include "kernels/cuda/kernel_call.h"
#include "kernels/cuda/simulator/simulator.h"

namespace winnow::kernels::simulator {

// Runs the kernel's own source on the CPU; its device memory is host memory. Returns what went
// wrong, empty if nothing did.
std::string RunKernel(const cuda::LaunchShape& shape, const cuda::KernelCall& call,
                      const Options& options);

}  // namespace winnow::kernels::simulator

#endif  // WINNOW_KERNELS_CUDA_SIMULATOR_SIMULATED_KERNELS_H_
