#ifndef WINNOW_KERNELS_CUDA_KERNEL_CALL_H_
#define WINNOW_KERNELS_CUDA_KERNEL_CALL_H_

#include <variant>

#include "kernels/cuda/merge.h"
#include "kernels/cuda/score_topk.h"
#include "kernels/cuda/sparse_attention.h"

namespace winnow::kernels::cuda {

// A kernel and its arguments, whose pointers are to device memory. What runs it chooses among the
// kernel's instantiations by the arguments.
using KernelCall = std::variant<ScoreArgs, SelectArgs, MergeArgs, AttendArgs, AttendMergeArgs>;

// Calls fn.template operator()<dim / 32>().
template <typename Fn>
auto ForDimBlocks(int dim, Fn fn) {
  switch (dim / 32) {
    case 1:
      return fn.template operator()<1>();
    case 2:
      return fn.template operator()<2>();
    case 3:
      return fn.template operator()<3>();
    case 4:
      return fn.template operator()<4>();
    case 5:
      return fn.template operator()<5>();
    case 6:
      return fn.template operator()<6>();
    case 7:
      return fn.template operator()<7>();
    default:
      return fn.template operator()<8>();
  }
}

// Calls fn.template operator()<head tiles of a block, latent tiles of a warp>().
template <typename Fn>
auto ForLatentTiles(int latent_dim, Fn fn) {
  switch (LatentTilesPerWarp(latent_dim)) {
    case 1:
      return fn.template operator()<2, 1>();
    case 2:
      return fn.template operator()<2, 2>();
    case 4:
      return fn.template operator()<2, 4>();
    case 8:
      return fn.template operator()<2, 8>();
    default:
      return fn.template operator()<1, 16>();
  }
}

// Calls fn.template operator()<chunks of a group, rows of a block>(), where AttendArgs::way is
// kGroups.
template <typename Fn>
auto ForGroupChunks(const AttendArgs& args, Fn fn) {
  if (GroupChunks(args.latent_dim) == 1) {
    return args.row_block == 64 ? fn.template operator()<1, 64>() : fn.template operator()<1, 32>();
  }
  return args.row_block == 64 ? fn.template operator()<2, 64>() : fn.template operator()<2, 32>();
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_KERNEL_CALL_H_
