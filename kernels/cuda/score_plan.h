#ifndef WINNOW_KERNELS_CUDA_SCORE_PLAN_H_
#define WINNOW_KERNELS_CUDA_SCORE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kernels/cuda/launch_shape.h"
#include "kernels/cuda/score_topk.h"
#include "kernels/layout.h"

// How score + top-k is divided into launches, jobs and blocks.
namespace winnow::kernels::cuda {

struct ScoreShape {
  KeyFormat format = KeyFormat::kFp8E4M3;
  int heads = 1;
  int dim = 128;
  int most_rows = 1;    // of a context
  uint32_t most_k = 1;  // of a row
};

struct ScorePlan {
  bool by_groups = false;
  int stages = 0;        // by groups pages of a block's ring, otherwise units of each warp
  int rows_per_job = 0;  // a context's further rows are jobs of their own
  int resident_blocks = 0;
  LaunchShape score;   // blocks_x is DivideBlocks'
  LaunchShape select;  // blocks_x is the launch's rows
};

// Returns what is wrong, empty if nothing is.
[[nodiscard]] std::string PlanScore(const DeviceLimits& limits, const ScoreShape& shape,
                                    ScorePlan* plan);

// Gives each job its blocks, in proportion to its pages and rows, so that all end at about the same
// time. Returns the blocks of all.
int DivideBlocks(const ScorePlan& plan, int dim, std::span<ScoreJob> jobs);

// Device memory of one query row over `pages` pages: its candidates.
size_t ScoreWorkspaceBytesPerRow(uint32_t pages);

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_PLAN_H_
