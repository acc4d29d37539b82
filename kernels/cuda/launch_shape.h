#ifndef WINNOW_KERNELS_CUDA_LAUNCH_SHAPE_H_
#define WINNOW_KERNELS_CUDA_LAUNCH_SHAPE_H_

#include <cstddef>

namespace winnow::kernels::cuda {

// How many threads run a kernel.
struct LaunchShape {
  int blocks_x = 1;
  int blocks_y = 1;
  int blocks_z = 1;
  int threads = 32;         // of a block, a multiple of 32
  size_t shared_bytes = 0;  // of a block
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_SHAPE_H_
