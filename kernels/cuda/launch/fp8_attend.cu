#include "kernels/cuda/fp8_attention.cuh"
#include "kernels/cuda/launch/launch.cuh"

namespace winnow::kernels::cuda {
namespace {

// A block has all of a multiprocessor's shared memory, and so may have all its registers.
__global__ void __launch_bounds__(Fp8AttendLayout::kThreads, 1)
    Fp8Attention(const __grid_constant__ AttendArgs args) {
  if constexpr (simt::kHasGroups) Fp8AttendBody(args);
}

}  // namespace

cudaError_t LaunchFp8Attend(const LaunchShape& shape, const AttendArgs& args, cudaStream_t stream) {
  return Launch<&Fp8Attention>(shape, args, stream);
}

}  // namespace winnow::kernels::cuda
