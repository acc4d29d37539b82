#ifndef WINNOW_KERNELS_CUDA_FP8_ATTENTION_CUH_
#define WINNOW_KERNELS_CUDA_FP8_ATTENTION_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/fp8_attend_logits.cuh"
#include "kernels/cuda/fp8_attend_outputs.cuh"
#include "kernels/cuda/fp8_attend_place.cuh"
#include "kernels/cuda/fp8_attend_queries.cuh"
#include "kernels/cuda/fp8_attend_rows.cuh"
#include "kernels/cuda/fp8_attend_softmax.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// Sparse attention over FlashMLA's rows by products of four warps. Floor: 2 * (2 * 512 + 64)
// operations a head and row (128 heads of 2048 rows: 0.57 GFLOP, 0.6 us at 950 TFLOP/s), against
// 656 bytes a row; bound by the tensor cores where a launch has enough query rows.
//
// Rows stay in shared memory as they are stored. Each product takes its codes from there to
// registers, where two become f16 in one instruction, exactly; so they are always the matrix in
// registers, and heads are columns:
//   logits   [64 rows of a group's block, 64 heads] = rows . queries (k along the 576 dims)
//   outputs  [256 dims of a group, 64 heads] = rows^T . probabilities (k along both groups' rows)
// Scales of logits multiply sums over 128 dims, in fp32. For outputs, a row's largest scale
// multiplies its probability, and the ratio of each to the largest multiplies codes, in f16.
//
// Probabilities are exp2(logit - reference) in f16, where a head's reference is raised to its
// largest logit only once that is kSlack more; so outputs seldom need to shrink. The power of two
// of the largest scale so far is taken out of all of them alike.
namespace winnow::kernels::cuda {

// By the groups that multiply, to `outputs` [heads, kLatent] and `lse` [heads], of which so many
// are there.
WINNOW_DEVICE void Fp8AttendTo(const Fp8AttendRows& source, float* outputs, float* lse, int heads) {
  const Fp8AttendPlace at(source);
  const Fp8AttendLogits logits{at};
  Fp8AttendSoftmax softmax;
  Fp8AttendOutputs sums(at);
  for (int block = 0; source.Has(block); block += 2) {
    Fp8AttendPlace::Logit of_rows;
    FloatPair scales;
    logits.Score(block + at.group, of_rows, &scales);
    softmax.ShareLargest(of_rows, simt::Max(scales.first, scales.second));
    Fp8AttendPlace::Sync();
    softmax.RaiseReferences();
    softmax.PutProbabilities(of_rows, scales);
    simt::PublishShared();
    Fp8AttendPlace::Sync();
    sums.Shrink();
    for (int i = block; i < block + 2 && source.Has(i); ++i) {
      source.Wait(i);
      sums.Add(i);
      source.Release(i);
    }
  }
  softmax.Finish(source.count > 0, lse, heads);
  sums.Write(outputs, heads);
}

WINNOW_DEVICE void Fp8AttendBody(const AttendArgs& args) {
  using L = Fp8AttendLayout;
  const auto [query, first_head, split] = AttendBlockOf(args, L::kHeads);
  const int heads = args.heads - first_head;
  simt::LetNextLaunch();
  const Fp8AttendRows source(RowsOfSplit(args, query, split));
  source.InitBarriers();
  simt::SyncBlock();
  if (simt::Shuffle(simt::Warp(), 0) >= L::kMultipliers / 32) {
    simt::GiveRegisters<24>();
    source.BringAll();
  } else {
    simt::TakeRegisters<240>();
    const size_t head = size_t{1} * query * args.heads + first_head;
    Fp8AttendQueries<L>::Load(args.query + head * 2 * (L::kLatent + L::kRope), heads,
                              simt::Mul(args.softmax_scale, kLog2OfE));
    simt::PublishShared();
    simt::SyncFirst<L::kMultipliers>();
    const size_t result = size_t{1} * split * args.queries * args.heads + head;
    Fp8AttendTo(source, args.outputs + result * L::kLatent, args.lse + result, heads);
  }
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTENTION_CUH_
