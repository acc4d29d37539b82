#ifndef WINNOW_SERVICES_WINNOWD_COMPUTE_H_
#define WINNOW_SERVICES_WINNOWD_COMPUTE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "kernels/backend.h"
#include "services/shard/compute.h"
#include "services/winnowd/options.h"

namespace winnow {

// What --device asks for. With auto, a machine without a GPU that serves uses the CPU, and the log
// says why. A GPU that is asked for and does not serve is FAILED_PRECONDITION, one that has too
// little memory RESOURCE_EXHAUSTED. backend and pool must outlive the result.
absl::StatusOr<std::unique_ptr<shard::Compute>> OpenCompute(const Options& options,
                                                            const kernels::Backend* backend,
                                                            kernels::WorkerPool* pool);

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_COMPUTE_H_
