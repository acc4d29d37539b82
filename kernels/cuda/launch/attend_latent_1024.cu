#include "kernels/cuda/launch/attend_launch.cuh"

namespace winnow::kernels::cuda {

template cudaError_t LaunchAttend<1, 16>(const LaunchShape&, const AttendArgs&, cudaStream_t);

}  // namespace winnow::kernels::cuda
