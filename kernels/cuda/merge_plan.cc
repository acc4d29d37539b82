#include <algorithm>

#include "kernels/cuda/merge.h"

namespace winnow::kernels::cuda {

LaunchShape PlanMerge(int lists, uint32_t list_stride) {
  constexpr int kThreads = 256;
  const auto blocks = static_cast<int>((list_stride + kThreads - 1) / kThreads);
  return {.blocks_x = std::max(1, blocks), .blocks_y = lists, .threads = kThreads};
}

}  // namespace winnow::kernels::cuda
