#ifndef WINNOW_KERNELS_CUDA_LAUNCH_ATTEND_LAUNCH_CUH_
#define WINNOW_KERNELS_CUDA_LAUNCH_ATTEND_LAUNCH_CUH_

#include "kernels/cuda/launch/launch.cuh"
#include "kernels/cuda/sparse_attention.cuh"

namespace winnow::kernels::cuda {

// Two blocks fit a multiprocessor's registers; kernels/cuda/attend_plan.cc counts on it.
template <int kHeadTiles, int kLatentTiles>
__global__ void __launch_bounds__(32 * kAttendWarps, 2)
    SparseAttention(const __grid_constant__ AttendArgs args) {
  AttendBody<kHeadTiles, kLatentTiles>(args);
}

template <int kHeadTiles, int kLatentTiles>
cudaError_t LaunchAttend(const LaunchShape& shape, const AttendArgs& args, cudaStream_t stream) {
  return Launch<&SparseAttention<kHeadTiles, kLatentTiles>>(shape, args, stream);
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_ATTEND_LAUNCH_CUH_
