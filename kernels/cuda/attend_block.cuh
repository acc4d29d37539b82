#ifndef WINNOW_KERNELS_CUDA_ATTEND_BLOCK_CUH_
#define WINNOW_KERNELS_CUDA_ATTEND_BLOCK_CUH_

#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// What one block of a launch of attention is for, whatever its kernel.
namespace winnow::kernels::cuda {

struct AttendBlock {
  int query;       // row of queries
  int first_head;  // of the block
  int split;
};

// Of blocks that have `heads` heads each.
WINNOW_DEVICE AttendBlock AttendBlockOf(const AttendArgs& args, int heads) {
  const int head_blocks = (args.heads + heads - 1) / heads;
  return {simt::BlockY(), simt::BlockX() % head_blocks * heads, simt::BlockX() / head_blocks};
}

struct SplitRows {
  const std::byte* const* rows;
  int count;
};

// The rows of a query row's split, whole row blocks of them but in the last.
WINNOW_DEVICE SplitRows RowsOfSplit(const AttendArgs& args, int query, int split) {
  const auto all = static_cast<int>(args.row_counts[query]);
  const int share = (all + args.splits - 1) / args.splits;
  const int whole = (share + args.row_block - 1) / args.row_block * args.row_block;
  const int first = split * whole;
  const int left = all > first ? all - first : 0;
  return {args.rows + size_t{1} * query * args.row_stride + first, left < whole ? left : whole};
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_ATTEND_BLOCK_CUH_
