#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTENTION_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTENTION_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/fp8_attend_queries.cuh"
#include "kernels/cuda/pair_attend_codes.cuh"
#include "kernels/cuda/pair_attend_logits.cuh"
#include "kernels/cuda/pair_attend_outputs.cuh"
#include "kernels/cuda/pair_attend_place.cuh"
#include "kernels/cuda/pair_attend_rows.cuh"
#include "kernels/cuda/pair_attend_softmax.cuh"
#include "kernels/cuda/pair_attend_values.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

// Sparse attention over rows of 512 + 64 dims by products of four warps, whose matrices are rows
// and queries in shared memory. Floor: 2 * (2 * 512 + 64) operations a head and row (128 heads of
// 2048 rows: 0.57 GFLOP, 0.6 us at 950 TFLOP/s), against 1,152 bytes a row (656 of fp8); bound by
// the tensor cores where a launch has enough query rows, and nearly by shared memory: logits read
// 128 bytes a cycle of it, outputs 64.
//
// A block has 64 heads and takes two blocks of 64 rows at a time, one of each of two groups. A
// group
//   has the logits of its block (64 heads by 64 rows) and their softmax,
//   adds its half of the dims of the outputs of its block, probabilities from registers,
//   and of the other's, whose probabilities it takes from shared memory.
// A group waits for the other's probabilities alone, and so they are half a step apart at best: one
// has its softmax while the other multiplies. A third group brings the rows: bf16 as they are,
// codes as f16, exactly. It may replace a quarter of the two blocks once that is multiplied, while
// the others still are.
//
// Probabilities are exp2(logit - reference), where a group's reference of a head is raised only if
// a logit is kSlack more; so outputs seldom need to shrink. With bf16 rows probabilities are
// rounded to bf16, and outputs divided by the sum of what they were rounded to. With codes they are
// f16: a row's largest scale multiplies its probability, less the power of two of the largest so
// far; the ratio of each scale to the largest multiplies that; logits have their scales in fp32.
namespace winnow::kernels::cuda {

// By the groups that multiply, to `outputs` [heads, kLatent] and `lse` [heads], of which so many
// are there.
template <RowFormat kFormat>
WINNOW_DEVICE void PairAttendTo(const PairAttendRows& rows, float* outputs, float* lse, int heads) {
  using L = PairAttendLayout;
  const PairAttendPlace at;
  const PairAttendLogits<kFormat> logits_of{at.group};
  PairAttendSoftmax<kFormat> softmax(at);
  PairAttendOutputs<kFormat> sums(at);
  PairAttendPlace::Probabilities p;
  float factors[2];
  for (int pair = 0; rows.Has(pair); pair += 2) {
    const int own = pair + at.group, other = pair + 1 - at.group;
    if (rows.Has(own)) {
      PairAttendPlace::Logit logits;
      logits_of.Score(own, logits);
      softmax.Scale(rows.count - own * L::kRows, logits);
      if (softmax.Raise(own, logits, factors)) sums.Shrink(factors);
      softmax.ToProbabilities(own, logits, p);
      // No warp of the group needs the rope dims any more.
      simt::SyncGroup();
      softmax.Give(own, p);
      sums.Start(own, p);
      sums.Finish();
      PairAttendRows::Release(own, at.group);
    }
    if (!rows.Has(other)) continue;
    PairAttendRows::Wait(other, at.group);
    if (softmax.Take(other, p, factors)) sums.Shrink(factors);
    sums.Start(other, p);
    sums.Finish();
    PairAttendRows::Release(other, at.group);
  }
  softmax.Finish(rows.count > 0, lse, heads, factors);
  sums.Write(factors, outputs, heads);
}

// The queries of a block's heads, and what brings their logits to units of log 2.
template <RowFormat kFormat>
WINNOW_DEVICE void LoadPairQueries(const AttendArgs& args, int query, int first_head) {
  using L = PairAttendLayout;
  const float unit = simt::Mul(args.softmax_scale, kLog2OfE);
  if constexpr (kFormat == RowFormat::kBf16) {
    LoadGroupQueries(args, query, first_head);
    if (simt::ThreadInBlock() < L::kHeads) {
      PairAttendPlace::Floats(L::kQueryScales)[simt::ThreadInBlock()] = unit;
    }
  } else {
    const size_t head = size_t{1} * query * args.heads + first_head;
    Fp8AttendQueries<L>::Load(args.query + head * 2 * (L::kLatent + L::kRope),
                              args.heads - first_head, unit);
  }
}

template <RowFormat kFormat>
WINNOW_DEVICE void PairAttendBody(const AttendArgs& args) {
  using L = PairAttendLayout;
  const auto [query, first_head, split] = AttendBlockOf(args, L::kHeads);
  simt::LetNextLaunch();
  const PairAttendRows rows(RowsOfSplit(args, query, split));
  rows.InitBarriers();
  simt::SyncBlock();
  if (simt::Shuffle(simt::Warp(), 0) >= L::kMultipliers / 32) {
    simt::GiveRegisters<L::kBringerRegisters>();
    if constexpr (kFormat == RowFormat::kBf16) {
      PairAttendValues(rows).BringAll();
    } else {
      PairAttendCodes(rows).BringAll();
    }
  } else {
    simt::TakeRegisters<L::kMultiplierRegisters>();
    LoadPairQueries<kFormat>(args, query, first_head);
    simt::PublishShared();
    PairAttendPlace::Sync();
    const size_t result = (size_t{1} * split * args.queries + query) * args.heads + first_head;
    PairAttendTo<kFormat>(rows, args.outputs + result * L::kLatent, args.lse + result,
                          args.heads - first_head);
  }
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTENTION_CUH_
