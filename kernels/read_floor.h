#ifndef WINNOW_KERNELS_READ_FLOOR_H_
#define WINNOW_KERNELS_READ_FLOOR_H_

#include <cstddef>
#include <span>

#include "kernels/worker_pool.h"

namespace winnow::kernels {

// Seconds to read the bytes once with all threads of the pool, doing nothing else: the floor of
// every kernel that must read them. Median of `passes` passes.
double MeasureReadSeconds(std::span<const std::byte> bytes, WorkerPool& pool, int passes = 9);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_READ_FLOOR_H_
