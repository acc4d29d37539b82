#ifndef WINNOW_KERNELS_CPU_SCORE_SCAN_H_
#define WINNOW_KERNELS_CPU_SCORE_SCAN_H_

#include <span>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/top_k.h"

namespace winnow::kernels {

// What a scan works in; kept from call to call, it grows to the largest and then stays.
struct ScanMemory {
  struct Worker {
    Scratch scratch;
    std::vector<TopK> best;  // [rows] and more
    bool used = false;
  };

  Scratch prepared;
  std::vector<Worker> workers;  // [threads] and more
  std::vector<std::span<const Candidate>> lists;
};

// Score + top-k over all pages with a variant's page kernel. Floor: one read of the pages.
void ScanPages(const CpuVariant& variant, const ScoreTopKParams& params, WorkerPool& pool,
               ScanMemory* memory, ScoreTopKResult* result);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SCORE_SCAN_H_
