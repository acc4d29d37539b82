#include "kernels/cuda/launch/launch.cuh"
#include "kernels/cuda/pair_attention.cuh"

namespace winnow::kernels::cuda {
namespace {

// A block has all of a multiprocessor's shared memory, and so may have all its registers.
template <RowFormat kFormat>
__global__ void __launch_bounds__(PairAttendLayout::kThreads, 1)
    PairAttention(const __grid_constant__ AttendArgs args) {
  if constexpr (simt::kHasGroups) PairAttendBody<kFormat>(args);
}

}  // namespace

template <RowFormat kFormat>
cudaError_t LaunchPairAttend(const LaunchShape& shape, const AttendArgs& args,
                             cudaStream_t stream) {
  return Launch<&PairAttention<kFormat>>(shape, args, stream);
}

template cudaError_t LaunchPairAttend<RowFormat::kBf16>(const LaunchShape&, const AttendArgs&,
                                                        cudaStream_t);
template cudaError_t LaunchPairAttend<RowFormat::kFp8FlashMla>(const LaunchShape&,
                                                               const AttendArgs&, cudaStream_t);

}  // namespace winnow::kernels::cuda
