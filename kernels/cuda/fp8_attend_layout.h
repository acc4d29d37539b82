#ifndef WINNOW_KERNELS_CUDA_FP8_ATTEND_LAYOUT_H_
#define WINNOW_KERNELS_CUDA_FP8_ATTEND_LAYOUT_H_

#include "kernels/layout.h"

namespace winnow::kernels::cuda {

// Threads and shared memory of a block of kernels/cuda/fp8_attention.cuh, for FlashMLA's rows: 512
// e4m3 codes, 4 fp32 scales, 64 bf16 rope values.
struct Fp8AttendLayout {
  // Groups of four warps: two that multiply, and one that brings rows.
  static constexpr int kGroupWarps = 4;
  static constexpr int kMultipliers = 2 * kGroupWarps * 32;  // threads
  static constexpr int kThreads = 3 * kGroupWarps * 32;
  static constexpr int kLatent = 512;
  static constexpr int kRope = 64;
  static constexpr int kScaleGroups = kLatent / kLatentScaleGroup;
  static constexpr int kScalesAt = kLatent;  // of a row, bytes
  static constexpr int kRopeAt = kScalesAt + 4 * kScaleGroups;
  // An odd multiple of 16 bytes modulo 128, so that LoadMatrix meets no bank twice.
  static constexpr int kRowBytes = kRopeAt + 2 * kRope;
  static constexpr int kRows = 64;   // of a block of rows: one of each group of warps
  static constexpr int kHeads = 64;  // of a block
  static constexpr int kStages = 3;  // of rows
  static constexpr int kWarps = 2 * kRows / 16;
  static constexpr bool kDealsDims = true;

  // Matrices of 16 values along k (two halves) by 64 heads, in tiles of 8 x 8.
  static constexpr int kTileBytes = 8 * 16;
  static constexpr int kHalfBytes = kHeads / 8 * kTileBytes;
  static constexpr int kStepBytes = 2 * kHalfBytes;

  static constexpr int kQueries = 0;  // [kLatent / 16 steps] f16
  static constexpr int kRopeQueries = kQueries + kLatent / 16 * kStepBytes;  // [kRope / 16] bf16
  static constexpr int kRaw = kRopeQueries + kRope / 16 * kStepBytes;        // [kStages, kRows]
  // [2 blocks, kRows / 16 steps] f16
  static constexpr int kProbabilities = kRaw + kStages * kRows * kRowBytes;
  // [2 pairs of blocks in turn, 2 blocks, kScaleGroups, kRows] f16
  static constexpr int kRatios = kProbabilities + 2 * kRows / 16 * kStepBytes;
  static constexpr int kRatioBytes = kScaleGroups * kRows * 2;
  // [kWarps, kHeads] fp32: the largest logit of a warp's rows; in the end sums
  static constexpr int kLargest = kRatios + 4 * kRatioBytes;
  static constexpr int kFactors = kLargest + kWarps * kHeads * 4;  // [kHeads] fp32
  static constexpr int kQueryScales = kFactors + kHeads * 4;       // [kHeads] fp32
  static constexpr int kReferences = kQueryScales + kHeads * 4;    // [kHeads] fp32
  static constexpr int kLargestScale = kReferences + kHeads * 4;   // [kWarps] fp32
  static constexpr int kRaised = kLargestScale + kWarps * 4;       // uint32
  // [kStages] uint64 each: a stage's rows are there; all have multiplied them.
  static constexpr int kFull = kRaised + 8;
  static constexpr int kEmpty = kFull + 8 * kStages;
  static constexpr int kBytes = kEmpty + 8 * kStages;
};

static_assert(Fp8AttendLayout::kRowBytes % 32 == 16);
static_assert(Fp8AttendLayout::kRopeAt % 16 == 0);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTEND_LAYOUT_H_
