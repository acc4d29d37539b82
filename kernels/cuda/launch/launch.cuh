#ifndef WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_CUH_
#define WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_CUH_

#include "kernels/cuda/launch/launch.h"

namespace winnow::kernels::cuda {

// Listed before main begins if a launch of it is compiled in.
template <auto kKernel>
inline const ListedKernel kListed(reinterpret_cast<const void*>(kKernel));

// `early` is for a kernel that begins with simt::AwaitLastLaunch, where its code has that wait: its
// blocks are made ready while the kernel before still runs, and so begin at once when it has ended.
template <auto kKernel, typename Args>
cudaError_t Launch(const LaunchShape& shape, const Args& args, cudaStream_t stream,
                   bool early = false) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(shape.blocks_x, shape.blocks_y);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = early ? 1 : 0;
  void* parameters[] = {const_cast<Args*>(&args)};
  return cudaLaunchKernelExC(&config, kListed<kKernel>.function, parameters);
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_CUH_
