#include "kernels/cuda/group_attention.cuh"
#include "kernels/cuda/launch/launch.cuh"

namespace winnow::kernels::cuda {
namespace {

// A block has all of a multiprocessor's shared memory, and so may have all its registers.
template <int kChunks, int kRowBlock>
__global__ void __launch_bounds__(32 * kAttendWarps, 1)
    GroupAttention(const __grid_constant__ AttendArgs args) {
  if constexpr (simt::kHasGroups) GroupAttendBody<kChunks, kRowBlock>(args);
}

}  // namespace

template <int kChunks, int kRowBlock>
cudaError_t LaunchGroupAttend(const LaunchShape& shape, const AttendArgs& args,
                              cudaStream_t stream) {
  return Launch<&GroupAttention<kChunks, kRowBlock>>(shape, args, stream);
}

template cudaError_t LaunchGroupAttend<1, 32>(const LaunchShape&, const AttendArgs&, cudaStream_t);
template cudaError_t LaunchGroupAttend<1, 64>(const LaunchShape&, const AttendArgs&, cudaStream_t);
template cudaError_t LaunchGroupAttend<2, 32>(const LaunchShape&, const AttendArgs&, cudaStream_t);
template cudaError_t LaunchGroupAttend<2, 64>(const LaunchShape&, const AttendArgs&, cudaStream_t);

}  // namespace winnow::kernels::cuda
