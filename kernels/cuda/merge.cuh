#ifndef WINNOW_KERNELS_CUDA_MERGE_CUH_
#define WINNOW_KERNELS_CUDA_MERGE_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/merge.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

namespace winnow::kernels::cuda {

// How many of a list are better than `item`, or as good where `ties_first`.
WINNOW_DEVICE uint32_t CountBetter(const Candidate* list, uint32_t length, const Candidate& item,
                                   bool ties_first) {
  uint32_t low = 0, high = length;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    const Candidate other = list[middle];
    const bool equal = other.score == item.score && other.position == item.position;
    const bool better =
        other.score > item.score || (other.score == item.score && other.position < item.position);
    if (better || (equal && ties_first)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Floor: 8 bytes read and written per candidate; in effect lists * log2(length) loads from L2 for
// each, all independent of each other (8 lists of 2048: 1.4 million, some 5 us). Each candidate
// finds its own rank: its index in its list, and how many of every other list come before it. A tie
// goes to the earlier list, so ranks are all different.
WINNOW_DEVICE void MergeBody(const MergeArgs& args) {
  const int own = simt::BlockY();
  const uint32_t length = args.lengths[own];
  const uint32_t stride = simt::BlocksX() * simt::ThreadsInBlock();
  for (uint32_t i = simt::BlockX() * simt::ThreadsInBlock() + simt::ThreadInBlock();
       i < length && i < args.k; i += stride) {
    const Candidate item = args.items[size_t{1} * own * args.list_stride + i];
    uint32_t rank = i;
    for (int list = 0; list < args.lists && rank < args.k; ++list) {
      if (list == own) continue;
      rank += CountBetter(args.items + size_t{1} * list * args.list_stride, args.lengths[list],
                          item, list < own);
    }
    if (rank < args.k) args.merged[rank] = item;
  }
  if (own == 0 && simt::BlockX() == 0 && simt::ThreadInBlock() == 0) {
    uint64_t total = 0;
    for (int list = 0; list < args.lists; ++list) total += args.lengths[list];
    *args.count = total < args.k ? static_cast<uint32_t>(total) : args.k;
  }
}

struct alignas(16) FourFloats {
  float values[4];
};

// Several threads share four dims, each of every so many splits: what each has to load it asks for
// at once. Parts of no rows are zero and have weight zero.
//   weights  [kMostSplits] in shared memory, followed by kMergeShares * latent_dim floats
WINNOW_DEVICE void MergeOutputs(const AttendMergeArgs& args, size_t head, float* weights) {
  const int quads = args.latent_dim / 4;
  const int share = simt::ThreadInBlock() / quads, quad = simt::ThreadInBlock() % quads;
  const size_t heads = size_t{1} * args.queries * args.heads;
  auto* shares = reinterpret_cast<FourFloats*>(weights + kMostSplits);
  if (share < kMergeShares) {
    FourFloats out = {};
    WINNOW_UNROLL_BY(8)
    for (int s = share; s < args.splits; s += kMergeShares) {
      const FourFloats part = reinterpret_cast<const FourFloats*>(
          args.part_outputs + (s * heads + head) * args.latent_dim)[quad];
      WINNOW_UNROLL
      for (int i = 0; i < 4; ++i) {
        out.values[i] = simt::Fma(weights[s], part.values[i], out.values[i]);
      }
    }
    shares[share * quads + quad] = out;
  }
  simt::SyncBlock();
  if (share > 0) return;
  FourFloats out = shares[quad];
  for (int other = 1; other < kMergeShares; ++other) {
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      out.values[i] = simt::Add(out.values[i], shares[other * quads + quad].values[i]);
    }
  }
  reinterpret_cast<FourFloats*>(args.outputs + head * args.latent_dim)[quad] = out;
}

// Floor: the parts are read once, splits * heads * latent floats (32 splits of 128 heads of 512:
// 8.4 MB, from L2, some 2 us); bound by L2. A block merges a head of a query row.
WINNOW_DEVICE void AttendMergeBody(const AttendMergeArgs& args) {
  simt::AwaitLastLaunch();
  const size_t head = size_t{1} * simt::BlockY() * args.heads + simt::BlockX();
  const size_t heads = size_t{1} * args.queries * args.heads;  // from a split to the next
  auto* weights = reinterpret_cast<float*>(simt::SharedMemory());
  // Each warp for itself; a lane has two splits.
  static_assert(kMostSplits == 64);
  float part[2];
  WINNOW_UNROLL
  for (int i = 0; i < 2; ++i) {
    const int split = 32 * i + simt::Lane();
    part[i] = split < args.splits ? args.part_lse[split * heads + head] : MinusInfinity();
  }
  const float largest = LargestOfWarp(simt::Max(part[0], part[1]));
  const bool empty = largest == MinusInfinity();
  float sum = 0;
  WINNOW_UNROLL
  for (float& lse : part) {
    lse = empty ? 0.0f : Exp(simt::Add(lse, -largest));
    sum = simt::Add(sum, lse);
  }
  sum = SumOfWarp(sum);
  if (simt::Warp() == 0) {
    const float inverse = empty ? 0.0f : simt::Divide(1.0f, sum);
    weights[simt::Lane()] = simt::Mul(part[0], inverse);
    weights[simt::Lane() + 32] = simt::Mul(part[1], inverse);
  }
  simt::SyncBlock();
  MergeOutputs(args, head, weights);
  if (simt::ThreadInBlock() != 0) return;
  args.lse[head] = empty ? largest : simt::Add(largest, simt::Log(sum));
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_MERGE_CUH_
