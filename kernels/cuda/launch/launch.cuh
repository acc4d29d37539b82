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

// Whether the kernel's code has the wait of simt::AwaitLastLaunch, which older code that a newer
// device runs has not.
inline bool CanLaunchEarly(const void* kernel) {
  constexpr int kFirstPtxVersion = 90;
  cudaFuncAttributes attributes = {};
  return cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess &&
         attributes.ptxVersion >= kFirstPtxVersion;
}

// With kEarly, of a kernel that begins with simt::AwaitLastLaunch: where its code can, its blocks
// are made ready while the kernel before still runs, and so begin at once when it has ended.
template <auto kKernel, bool kEarly = false, typename Args>
cudaError_t Launch(const LaunchShape& shape, const Args& args, cudaStream_t stream) {
  const auto* kernel = reinterpret_cast<const void*>(kKernel);
  static const cudaError_t allowed = AllowSharedMemory(kernel);
  if (allowed != cudaSuccess) return allowed;
  static const bool early = kEarly && CanLaunchEarly(kernel);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(shape.blocks_x, shape.blocks_y, shape.blocks_z);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = early ? 1 : 0;
  void* parameters[] = {const_cast<Args*>(&args)};
  return cudaLaunchKernelExC(&config, kernel, parameters);
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_CUH_
