#include "kernels/cuda/simulator/simulated_kernels.h"

#include "kernels/cuda/fp8_attention.cuh"
#include "kernels/cuda/group_attention.cuh"
#include "kernels/cuda/merge.cuh"
#include "kernels/cuda/pair_attention.cuh"
#include "kernels/cuda/score_topk.cuh"
#include "kernels/cuda/select.cuh"
#include "kernels/cuda/sparse_attention.cuh"

namespace winnow::kernels::simulator {
namespace {

void Body(const cuda::ScoreArgs& args) {
  cuda::ForDimBlocks(args.dim, [&]<int kDimBlocks>() {
    cuda::ForQueries<kDimBlocks>(
        args, [&]<typename Queries>() { cuda::ScoreBody<kDimBlocks, Queries>(args); });
  });
}

void Body(const cuda::AttendArgs& args) {
  if (args.way == cuda::AttendWay::kCodes) return cuda::Fp8AttendBody(args);
  if (args.way == cuda::AttendWay::kPair) {
    return args.format == RowFormat::kBf16 ? cuda::PairAttendBody<RowFormat::kBf16>(args)
                                           : cuda::PairAttendBody<RowFormat::kFp8FlashMla>(args);
  }
  if (args.way == cuda::AttendWay::kGroups) {
    return cuda::ForGroupChunks(args, [&]<int kChunks, int kRowBlock>() {
      cuda::GroupAttendBody<kChunks, kRowBlock>(args);
    });
  }
  cuda::ForLatentTiles(args.latent_dim, [&]<int kHeadTiles, int kLatentTiles>() {
    cuda::AttendBody<kHeadTiles, kLatentTiles>(args);
  });
}

void Body(const cuda::SelectArgs& args) { cuda::SelectBody(args); }
void Body(const cuda::MergeArgs& args) { cuda::MergeBody(args); }
void Body(const cuda::AttendMergeArgs& args) { cuda::AttendMergeBody(args); }

}  // namespace

std::string RunKernel(const cuda::LaunchShape& shape, const cuda::KernelCall& call,
                      const Options& options) {
  return std::visit(
      [&](const auto& args) { return Simulate(shape, options, [&args] { Body(args); }); }, call);
}

}  // namespace winnow::kernels::simulator
