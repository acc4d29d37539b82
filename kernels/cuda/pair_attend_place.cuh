#ifndef WINNOW_KERNELS_CUDA_PAIR_ATTEND_PLACE_CUH_
#define WINNOW_KERNELS_CUDA_PAIR_ATTEND_PLACE_CUH_

#include "kernels/cuda/attend_heads.cuh"
#include "kernels/cuda/pair_attend_layout.h"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

// Where a thread of the groups that multiply is, and what it finds there in shared memory. It has
// two heads, 8 apart, and of each tile of 8 rows or dims the two from 2 * (Lane() % 4) on.
struct PairAttendPlace {
  using L = PairAttendLayout;
  static constexpr int kRowTiles = L::kRows / 8;
  static constexpr int kRowSteps = L::kRows / 16;
  using Logit = float[kRowTiles][4];  // of a tile: two rows of the first head, two of the second
  using Fragment = uint32_t[4];
  using Probabilities = Fragment[kRowSteps];

  int group;  // of four warps, 0 or 1
  int first_head;

  WINNOW_DEVICE PairAttendPlace() {
    // The same in all lanes, as the compiler can see.
    const int warp = simt::Shuffle(simt::Warp(), 0);
    group = warp / L::kGroupWarps;
    first_head = warp % L::kGroupWarps * 16 + simt::Lane() / 4;
  }

  WINNOW_DEVICE int Head(int i) const { return first_head + 8 * i; }
  WINNOW_DEVICE static int InTile() { return simt::Lane() % 4 * 2; }
  WINNOW_DEVICE static bool IsFirstOfHead() { return simt::Lane() % 4 == 0; }
  WINNOW_DEVICE static void Sync() { simt::SyncFirst<L::kMultipliers>(); }
  WINNOW_DEVICE static float* Floats(int offset) {
    return reinterpret_cast<float*>(simt::SharedMemory() + offset);
  }
  // A group's values of its heads.
  WINNOW_DEVICE static float* OfGroup(int offset, int of_group) {
    return Floats(offset) + of_group * L::kHeads;
  }
  WINNOW_DEVICE static uint32_t* Exponent(int of_group) {
    return reinterpret_cast<uint32_t*>(simt::SharedMemory() + L::kExponents) + of_group;
  }
};

// Over the four lanes that have the same heads.
template <typename Op>
WINNOW_DEVICE float ReduceHead(float value, Op op) {
  value = op(value, simt::ShuffleXor(value, 1));
  return op(value, simt::ShuffleXor(value, 2));
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_PAIR_ATTEND_PLACE_CUH_
