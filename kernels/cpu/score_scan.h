#ifndef WINNOW_KERNELS_CPU_SCORE_SCAN_H_
#define WINNOW_KERNELS_CPU_SCORE_SCAN_H_

#include "kernels/cpu/cpu_backend.h"

namespace winnow::kernels {

// Score + top-k over all pages with a variant's page kernel. Floor: one read of the pages.
void ScanPages(const CpuVariant& variant, const ScoreTopKParams& params, WorkerPool& pool,
               ScoreTopKResult* result);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_SCORE_SCAN_H_
