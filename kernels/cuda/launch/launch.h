#ifndef WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_H_
#define WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_H_

#include <cuda_runtime_api.h>

#include "kernels/cuda/kernel_call.h"

// Launches of the kernels; each instantiation is compiled in a small file of its own.
namespace winnow::kernels::cuda {

template <int kDimBlocks>
cudaError_t LaunchScore(const LaunchShape& shape, const ScoreArgs& args, cudaStream_t stream);

template <int kChunks, int kRowBlock>
cudaError_t LaunchGroupAttend(const LaunchShape& shape, const AttendArgs& args,
                              cudaStream_t stream);

template <RowFormat kFormat>
cudaError_t LaunchPairAttend(const LaunchShape& shape, const AttendArgs& args, cudaStream_t stream);

cudaError_t LaunchFp8Attend(const LaunchShape& shape, const AttendArgs& args, cudaStream_t stream);

template <int kHeadTiles, int kLatentTiles>
cudaError_t LaunchAttend(const LaunchShape& shape, const AttendArgs& args, cudaStream_t stream);

cudaError_t LaunchSelect(const LaunchShape& shape, const SelectArgs& args, cudaStream_t stream,
                         bool early);
cudaError_t LaunchMerge(const LaunchShape& shape, const MergeArgs& args, cudaStream_t stream);
cudaError_t LaunchAttendMerge(const LaunchShape& shape, const AttendMergeArgs& args,
                              cudaStream_t stream, bool early);

// Whether the kernels that the current device runs were built with products of groups: these are
// instructions of sm_90a alone, and without them a kernel by groups does nothing.
cudaError_t HaveGroups(bool* have);

// One of the kernels that PrepareKernels prepares.
struct ListedKernel {
  explicit ListedKernel(const void* function);
  const void* const function;
};

// Loads all kernels on the current device and lets them have so much dynamic shared memory, once
// for all launches, so that threads which launch different shapes do not undo each other's limit.
// Then they can be launched there; `early`, where those that wait for the last launch may begin
// before it has ended.
cudaError_t PrepareKernels(size_t shared_bytes_per_block, bool* early);

// Any of them, on a device that they were prepared on, with what that said.
cudaError_t LaunchKernel(const LaunchShape& shape, const KernelCall& call, cudaStream_t stream,
                         bool early);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_LAUNCH_LAUNCH_H_
