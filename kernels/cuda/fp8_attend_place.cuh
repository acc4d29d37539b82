#ifndef WINNOW_KERNELS_CUDA_FP8_ATTEND_PLACE_CUH_
#define WINNOW_KERNELS_CUDA_FP8_ATTEND_PLACE_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/fp8_attend_layout.h"
#include "kernels/cuda/fp8_attend_rows.cuh"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

struct alignas(16) RowScales {
  float groups[Fp8AttendLayout::kScaleGroups];

  WINNOW_DEVICE float Largest() const {
    return simt::Max(simt::Max(Magnitude(groups[0]), Magnitude(groups[1])),
                     simt::Max(Magnitude(groups[2]), Magnitude(groups[3])));
  }
  WINNOW_DEVICE static float Magnitude(float x) {
    return simt::AsFloat(simt::AsBits(x) & 0x7fffffffu);
  }
};

// Where a thread of the groups that multiply is, and what it finds there in shared memory.
struct Fp8AttendPlace {
  using L = Fp8AttendLayout;
  static constexpr int kHeadTiles = L::kHeads / 8;
  using Fragment = uint32_t[4];
  using Logit = float[kHeadTiles][4];

  const Fp8AttendRows& source;
  int group;  // of four warps, 0 or 1
  int warp;   // of the group

  WINNOW_DEVICE explicit Fp8AttendPlace(const Fp8AttendRows& rows) : source(rows) {
    // The same in all lanes, as the compiler can see.
    group = simt::Shuffle(simt::Warp() / L::kGroupWarps, 0);
    warp = simt::Shuffle(simt::Warp() % L::kGroupWarps, 0);
  }

  WINNOW_DEVICE static void Sync() { simt::SyncFirst<L::kMultipliers>(); }
  WINNOW_DEVICE static float* Floats(int offset) {
    return reinterpret_cast<float*>(simt::SharedMemory() + offset);
  }
  WINNOW_DEVICE static FloatPair& PairAt(int offset, int head) {
    return *reinterpret_cast<FloatPair*>(Floats(offset) + head);
  }
  WINNOW_DEVICE static std::byte* Ratios(int block) {
    return simt::SharedMemory() + L::kRatios + block % 4 * L::kRatioBytes;
  }
  // The first of the two heads that the lane has of a tile of logits or outputs.
  WINNOW_DEVICE static int HeadOf(int tile) { return 8 * tile + simt::Lane() % 4 * 2; }
  // A row of the warp's 16.
  WINNOW_DEVICE const std::byte* Row(int block, int row) const {
    return source.Stage(block) + (16 * warp + row) * L::kRowBytes;
  }
  WINNOW_DEVICE const RowScales& ScalesOf(int block, int row) const {
    return *reinterpret_cast<const RowScales*>(Row(block, row) + L::kScalesAt);
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_FP8_ATTEND_PLACE_CUH_
