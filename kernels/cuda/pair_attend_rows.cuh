#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_ROWS_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_ROWS_CUH_

#include "kernels/cuda/attend_block.cuh"
#include "kernels/cuda/pair_attend_layout.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/sparse_attention.h"

namespace winnow::kernels::cuda {

// The rows of a block's split in its shared memory, PairAttendLayout::kRows at a time. Each half of
// a stage comes and goes for itself:
//
//                          half 0, of group 0's outputs   half 1, of group 1's
//   stage 0, even blocks   latent dims 0..255             latent dims 256..511, rope dims
//   stage 1, odd blocks    latent dims 0..255, rope dims  latent dims 256..511
//
// A group lets go of its half. Rope dims are in that of the group which multiplies the other stage,
// as it is the one that reads what takes their place.
struct PairAttendRows : SplitRows {
  using L = PairAttendLayout;

  WINNOW_DEVICE explicit PairAttendRows(const SplitRows& of) : SplitRows(of) {}

  WINNOW_DEVICE bool Has(int block) const { return block * L::kRows < count; }

  WINNOW_DEVICE static std::byte* Stage(int block) {
    return simt::SharedMemory() + L::kStages + block % 2 * L::kWidthBytes;
  }
  WINNOW_DEVICE static std::byte* Half(int block, int half) {
    return Stage(block) + half * (L::kHalf / 16 * L::kStepBytes);
  }
  WINNOW_DEVICE static std::byte* Rope(int block) { return Stage(block) + L::kRopeAt; }
  WINNOW_DEVICE static std::byte* Scales(int block) {
    return simt::SharedMemory() + L::kScales + block % 4 * L::kScaleBytes;
  }
  WINNOW_DEVICE static uint64_t* Full(int block, int half) {
    return reinterpret_cast<uint64_t*>(simt::SharedMemory() + L::kFull) + block % 2 * 2 + half;
  }
  WINNOW_DEVICE static uint64_t* Empty(int block, int half) {
    return reinterpret_cast<uint64_t*>(simt::SharedMemory() + L::kEmpty) + block % 2 * 2 + half;
  }
  // The probabilities of a group's block are there for the other group.
  WINNOW_DEVICE static uint64_t* Given(int group) {
    return reinterpret_cast<uint64_t*>(simt::SharedMemory() + L::kGiven) + group;
  }
  // Of the phase of these barriers that a block is.
  WINNOW_DEVICE static uint32_t Parity(int block) { return static_cast<uint32_t>(block / 2) & 1; }

  // By the whole block, with a barrier of it before anything else.
  WINNOW_DEVICE static void InitBarriers() {
    const int i = simt::ThreadInBlock();
    if (i >= 4) return;
    simt::CopyBarrierInit(Full(i / 2, i % 2), L::kGroupWarps);
    simt::CopyBarrierInit(Empty(i / 2, i % 2), L::kGroupWarps);
    if (i < 2) simt::CopyBarrierInit(Given(i), L::kGroupWarps);
  }

  // Until a half of a block's rows is there.
  WINNOW_DEVICE static void Wait(int block, int half) {
    simt::CopyBarrierWait(Full(block, half), Parity(block));
  }
  // By each warp of the group whose outputs that half is for: it needs it no more.
  WINNOW_DEVICE static void Release(int block, int half) {
    simt::SyncWarp();
    if (simt::Lane() == 0) simt::CopyBarrierArrive(Empty(block, half), 0);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_ROWS_CUH_
