#include <vector>

#include "kernels/cuda/launch/launch.cuh"
#include "kernels/cuda/merge.cuh"
#include "kernels/cuda/select.cuh"

namespace winnow::kernels::cuda {
namespace {

// One block for a multiprocessor leaves a thread 64 registers: with 32, what AttendMergeBody asks
// for at once would come two at a time.
__global__ void __launch_bounds__(kSelectThreads, 1)
    Select(const __grid_constant__ SelectArgs args) {
  SelectBody(args);
}
__global__ void __launch_bounds__(1024) Merge(const __grid_constant__ MergeArgs args) {
  MergeBody(args);
}
__global__ void __launch_bounds__(1024, 1)
    AttendMerge(const __grid_constant__ AttendMergeArgs args) {
  AttendMergeBody(args);
}

// Each device's code has its own.
__constant__ bool built_with_groups = simt::kHasGroups;

// Written before main begins.
std::vector<const void*>& ListedKernels() {
  static std::vector<const void*> kernels;
  return kernels;
}

struct Launcher {
  const LaunchShape& shape;
  cudaStream_t stream;
  bool early;

  cudaError_t operator()(const ScoreArgs& args) const {
    return ForDimBlocks(
        args.dim, [&]<int kDimBlocks>() { return LaunchScore<kDimBlocks>(shape, args, stream); });
  }
  cudaError_t operator()(const AttendArgs& args) const {
    if (args.way == AttendWay::kCodes) return LaunchFp8Attend(shape, args, stream);
    if (args.way == AttendWay::kPair) {
      return args.format == RowFormat::kBf16
                 ? LaunchPairAttend<RowFormat::kBf16>(shape, args, stream)
                 : LaunchPairAttend<RowFormat::kFp8FlashMla>(shape, args, stream);
    }
    if (args.way == AttendWay::kGroups) {
      return ForGroupChunks(args, [&]<int kChunks, int kRowBlock>() {
        return LaunchGroupAttend<kChunks, kRowBlock>(shape, args, stream);
      });
    }
    return ForLatentTiles(args.latent_dim, [&]<int kHeadTiles, int kLatentTiles>() {
      return LaunchAttend<kHeadTiles, kLatentTiles>(shape, args, stream);
    });
  }
  cudaError_t operator()(const SelectArgs& args) const {
    return LaunchSelect(shape, args, stream, early);
  }
  cudaError_t operator()(const MergeArgs& args) const { return LaunchMerge(shape, args, stream); }
  cudaError_t operator()(const AttendMergeArgs& args) const {
    return LaunchAttendMerge(shape, args, stream, early);
  }
};

}  // namespace

cudaError_t LaunchSelect(const LaunchShape& shape, const SelectArgs& args, cudaStream_t stream,
                         bool early) {
  return Launch<&Select>(shape, args, stream, early);
}
cudaError_t LaunchMerge(const LaunchShape& shape, const MergeArgs& args, cudaStream_t stream) {
  return Launch<&Merge>(shape, args, stream);
}
cudaError_t LaunchAttendMerge(const LaunchShape& shape, const AttendMergeArgs& args,
                              cudaStream_t stream, bool early) {
  return Launch<&AttendMerge>(shape, args, stream, early);
}

cudaError_t HaveGroups(bool* have) {
  return cudaMemcpyFromSymbol(have, built_with_groups, sizeof *have);
}

ListedKernel::ListedKernel(const void* kernel) : function(kernel) {
  ListedKernels().push_back(kernel);
}

cudaError_t PrepareKernels(size_t shared_bytes_per_block, bool* early) {
  // Older code that a newer device runs has no simt::AwaitLastLaunch.
  constexpr int kFirstPtxVersion = 90;
  *early = true;
  for (const void* kernel : ListedKernels()) {
    cudaFuncAttributes attributes = {};
    cudaError_t error = cudaFuncGetAttributes(&attributes, kernel);
    if (error != cudaSuccess) return error;
    error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared_bytes_per_block));
    if (error != cudaSuccess) return error;
    *early = *early && attributes.ptxVersion >= kFirstPtxVersion;
  }
  return cudaSuccess;
}

cudaError_t LaunchKernel(const LaunchShape& shape, const KernelCall& call, cudaStream_t stream,
                         bool early) {
  return std::visit(Launcher{shape, stream, early}, call);
}

}  // namespace winnow::kernels::cuda
