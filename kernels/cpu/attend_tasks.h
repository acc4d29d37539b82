#ifndef WINNOW_KERNELS_CPU_ATTEND_TASKS_H_
#define WINNOW_KERNELS_CPU_ATTEND_TASKS_H_

#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/scratch.h"

namespace winnow::kernels {

// What an attention's tasks leave behind; kept from call to call.
struct AttendMemory {
  Scratch parts;
  std::vector<std::byte*> part_of;  // [parts]
};

// Attention over all rows, of which there is one at least, with a variant's tasks.
void AttendInTasks(const CpuVariant& variant, const AttendParams& params, WorkerPool& pool,
                   AttendMemory* memory);

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_CPU_ATTEND_TASKS_H_
