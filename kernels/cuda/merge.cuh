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

// Floor: the parts are read once, splits * heads * latent floats (32 splits of 128 heads of 512:
// 8.4 MB, from L2, some 2 us); bound by L2. A block merges a head of a query row.
WINNOW_DEVICE void AttendMergeBody(const AttendMergeArgs& args) {
  const size_t head = size_t{1} * simt::BlockY() * args.heads + simt::BlockX();
  const size_t heads = size_t{1} * args.queries * args.heads;  // from a split to the next
  auto* weights = reinterpret_cast<float*>(simt::SharedMemory());
  float largest = MinusInfinity();
  for (int s = 0; s < args.splits; ++s) {
    largest = simt::Max(largest, args.part_lse[s * heads + head]);
  }
  const bool empty = largest == MinusInfinity();
  float sum = 0;
  for (int s = 0; s < args.splits && !empty; ++s) {
    sum = simt::Add(sum, Exp(simt::Add(args.part_lse[s * heads + head], -largest)));
  }
  const float lse = empty ? largest : simt::Add(largest, simt::Log(sum));
  const int split = simt::ThreadInBlock();
  if (split < args.splits) {
    weights[split] = empty ? 0.0f : Exp(simt::Add(args.part_lse[split * heads + head], -lse));
  }
  simt::SyncBlock();
  for (int d = simt::ThreadInBlock(); d < args.latent_dim; d += simt::ThreadsInBlock()) {
    float out = 0;
    for (int s = 0; s < args.splits; ++s) {
      if (weights[s] == 0) continue;
      out = simt::Fma(weights[s], args.part_outputs[(s * heads + head) * args.latent_dim + d], out);
    }
    args.outputs[head * args.latent_dim + d] = out;
  }
  if (simt::ThreadInBlock() == 0) args.lse[head] = lse;
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_MERGE_CUH_
