#ifndef WINNOW_KERNELS_CUDA_SCORE_PAGES_CUH_
#define WINNOW_KERNELS_CUDA_SCORE_PAGES_CUH_

#include "kernels/cuda/score_block.h"
#include "kernels/cuda/simt.h"

namespace winnow::kernels::cuda {

WINNOW_DEVICE const ScoreJob& JobOfBlock(const ScoreArgs& args) {
  int i = 0;
  while (i + 1 < args.job_count && args.jobs[i + 1].first_block <= simt::BlockX()) ++i;
  return args.jobs[i];
}

// The pages of a job that one block scores: every `blocks`-th.
struct BlockPages {
  const ScoreJob& job;
  uint32_t first;
  uint32_t count;

  WINNOW_DEVICE explicit BlockPages(const ScoreJob& of)
      : job(of), first(simt::BlockX() - of.first_block) {
    count = (job.page_count - first + job.blocks - 1) / job.blocks;
  }

  // Its i-th. Takes two loads that depend on each other.
  WINNOW_DEVICE PagePlace Find(uint32_t i) const {
    if (i >= count) return {nullptr, 0, 0};
    const uint32_t page = first + i * job.blocks;
    const DeviceRun run = job.runs[page >> job.page_bits];
    const uint32_t in_run = page & ((1u << job.page_bits) - 1);
    const uint32_t entry = in_run * kPageEntries;
    return {run.pages[in_run], run.first_position + entry, run.entries - entry};
  }
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_SCORE_PAGES_CUH_
