#include "kernels/cuda/launch/attend_launch.cuh"

namespace winnow::kernels::cuda {

template cudaError_t LaunchAttend<2, 1>(const LaunchShape&, const AttendArgs&, cudaStream_t);
template cudaError_t LaunchAttend<2, 2>(const LaunchShape&, const AttendArgs&, cudaStream_t);
template cudaError_t LaunchAttend<2, 4>(const LaunchShape&, const AttendArgs&, cudaStream_t);

}  // namespace winnow::kernels::cuda
