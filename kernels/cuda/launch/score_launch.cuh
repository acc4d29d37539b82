#ifndef WINNOW_KERNELS_CUDA_LAUNCH_SCORE_LAUNCH_CUH_
#define WINNOW_KERNELS_CUDA_LAUNCH_SCORE_LAUNCH_CUH_

#include "kernels/cuda/launch/launch.cuh"
#include "kernels/cuda/score_topk.cuh"

namespace winnow::kernels::cuda {

// The registers of a multiprocessor are for one block; kernels/cuda/score_plan.cc counts on it.
template <int kDimBlocks, typename Queries>
__global__ void __launch_bounds__(kScoreThreads<kDimBlocks, Queries>, 1)
    ScoreTopK(const __grid_constant__ ScoreArgs args) {
  if constexpr (simt::kHasGroups || !Queries::kByGroups) ScoreBody<kDimBlocks, Queries>(args);
}

template <int kDimBlocks>
cudaError_t LaunchScore(const LaunchShape& shape, const ScoreArgs& args, cudaStream_t stream) {
  return ForQueries<kDimBlocks>(args, [&]<typename Queries>() {
    return Launch<&ScoreTopK<kDimBlocks, Queries>>(shape, args, stream);
  });
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_SCORE_LAUNCH_CUH_
