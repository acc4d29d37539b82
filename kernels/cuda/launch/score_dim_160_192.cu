#include "kernels/cuda/launch/score_launch.cuh"

namespace winnow::kernels::cuda {

template cudaError_t LaunchScore<5>(const LaunchShape&, const ScoreArgs&, cudaStream_t);
template cudaError_t LaunchScore<6>(const LaunchShape&, const ScoreArgs&, cudaStream_t);

}  // namespace winnow::kernels::cuda
