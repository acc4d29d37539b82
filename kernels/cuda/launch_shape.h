#ifndef WINNOW_KERNELS_CUDA_LAUNCH_SHAPE_H_
#define WINNOW_KERNELS_CUDA_LAUNCH_SHAPE_H_

#include <cstddef>

namespace winnow::kernels::cuda {

// How many threads run a kernel.
struct LaunchShape {
  int blocks_x = 1;
  int blocks_y = 1;
  int threads = 32;         // of a block, a multiple of 32
  size_t shared_bytes = 0;  // of a block
};

// What a launch needs to know of a device.
struct DeviceLimits {
  int multiprocessors = 1;
  size_t shared_bytes_per_block = 0;
  size_t shared_bytes_per_multiprocessor = 0;
  bool has_groups = false;  // four warps can multiply together (simt.h), as on Hopper
  // Attention over FlashMLA's rows of 512 + 64 dims is to be by AttendWay::kCodes instead of kPair.
  bool attends_by_codes = false;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_SHAPE_H_
