#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_LAYOUT_H_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_LAYOUT_H_

#include "kernels/layout.h"

namespace winnow::kernels::cuda {

// Threads and shared memory of a block of kernels/cuda/pair_attention.cuh, for rows of 512 latent
// and 64 rope dims.
struct PairAttendLayout {
  // Groups of four warps: two that multiply, and one that brings rows.
  static constexpr int kGroupWarps = 4;
  static constexpr int kGroupThreads = 32 * kGroupWarps;
  static constexpr int kMultipliers = 2 * kGroupThreads;
  static constexpr int kThreads = 3 * kGroupThreads;
  // Registers of a thread that multiplies, and of one that brings rows. All begin with 168.
  static constexpr int kMultiplierRegisters = 216;
  static constexpr int kBringerRegisters = 72;
  static_assert(2 * kMultiplierRegisters + kBringerRegisters <= 3 * 168);
  static constexpr int kLatent = 512;
  static constexpr int kRope = 64;
  static constexpr int kHalf = kLatent / 2;  // dims of the outputs of a group
  static constexpr int kHeads = 64;          // of a block
  static constexpr int kRows = 64;           // of a block of rows
  static constexpr int kScaleGroups = kLatent / kLatentScaleGroup;
  static constexpr bool kDealsDims = false;

  // Matrices lie in tiles of 8 lines (heads, rows) by 8 dims. Those of the same dims follow each
  // other: kHalfBytes; two of these are a step of 16 dims.
  static constexpr int kTileBytes = 8 * 16;
  static constexpr int kHalfBytes = kRows / 8 * kTileBytes;
  static constexpr int kStepBytes = 2 * kHalfBytes;
  static constexpr int kWidthBytes = (kLatent + kRope) / 16 * kStepBytes;
  static_assert(kHeads == kRows);

  static constexpr int kQueries = 0;                         // [kHeads, kLatent + kRope]
  static constexpr int kStages = kQueries + kWidthBytes;     // 2 of [kRows, kLatent + kRope]
  static constexpr int kRopeAt = kLatent / 16 * kStepBytes;  // of a stage
  // What a group leaves for the other in its stage, where the rope dims were: the fragments of its
  // probabilities, [kRows / 16 steps, kGroupThreads] of 16 bytes.
  static_assert(kRows / 16 * kGroupThreads * 16 <= kRope / 16 * kStepBytes);

  // Of fp8 rows, for each of the last 4 blocks: [kScaleGroups, kRows] fp32, the largest of a row
  // [kRows] fp32, and each over the largest [kScaleGroups, kRows] f16.
  static constexpr int kScales = kStages + 2 * kWidthBytes;
  static constexpr int kLargestAt = kScaleGroups * kRows * 4;
  static constexpr int kRatiosAt = kLargestAt + kRows * 4;
  static constexpr int kScaleBytes = kRatiosAt + kScaleGroups * kRows * 2;

  // Of each group, [2, kHeads] fp32; its exponent [2] uint32.
  static constexpr int kReferences = kScales + 4 * kScaleBytes;
  static constexpr int kSums = kReferences + 2 * kHeads * 4;
  static constexpr int kWeights = kSums + 2 * kHeads * 4;
  static constexpr int kExponents = kWeights + 2 * kHeads * 4;
  static constexpr int kQueryScales = kExponents + 2 * 4;  // [kHeads] fp32
  // Of each stage's halves, [2, 2] uint64: its rows are there; nobody multiplies them any more.
  static constexpr int kFull = kQueryScales + kHeads * 4;
  static constexpr int kEmpty = kFull + 4 * 8;
  static constexpr int kGiven = kEmpty + 4 * 8;  // of each group
  static constexpr int kBytes = kGiven + 2 * 8;
  static_assert(kFull % 8 == 0);
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_LAYOUT_H_
