#ifndef WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_CUH_
#define WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_CUH_

#include "kernels/cuda/launch/launch.h"

namespace winnow::kernels::cuda {

// Lets a kernel have as much dynamic shared memory as the device gives. Once for all launches, so
// that threads which launch different shapes do not undo each other's limit.
inline cudaError_t AllowSharedMemory(const void* kernel) {
  int device = 0, bytes = 0;
  if (cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) return error;
  const cudaError_t error =
      cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error != cudaSuccess) return error;
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

template <auto kKernel, typename Args>
cudaError_t Launch(const LaunchShape& shape, const Args& args, cudaStream_t stream) {
  const auto* kernel = reinterpret_cast<const void*>(kKernel);
  static const cudaError_t allowed = AllowSharedMemory(kernel);
  if (allowed != cudaSuccess) return allowed;
  const dim3 grid(shape.blocks_x, shape.blocks_y, shape.blocks_z);
  void* parameters[] = {const_cast<Args*>(&args)};
  return cudaLaunchKernel(kernel, grid, dim3(shape.threads), parameters, shape.shared_bytes,
                          stream);
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_CUH_
