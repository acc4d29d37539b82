#include "kernels/cpu/attend_tasks.h"

#include <algorithm>
#include <atomic>

namespace winnow::kernels {
namespace {

// Heads that are finished at once.
constexpr int kFinishedHeads = 16;

int Quotient(int all, int each) { return (all + each - 1) / each; }

// First the tasks of all parts, then those that finish heads.
class Tasks {
 public:
  Tasks(const CpuVariant& variant, const AttendParams& params, int threads, AttendMemory* memory)
      : variant_(variant),
        params_(params),
        threads_(threads),
        part_rows_(variant.attend_rows == 0 ? params.row_count : variant.attend_rows),
        parts_(Quotient(params.row_count, part_rows_)),
        task_heads_(TaskHeads()),
        head_tasks_(Quotient(params.heads, task_heads_)),
        memory_(*memory),
        unfinished_(parts_ * head_tasks_) {
    if (variant.finish_attend == nullptr) return;
    const size_t bytes = variant.attend_part_bytes(params);
    std::byte* parts = memory_.parts.Get(parts_ * bytes);
    memory_.part_of.clear();
    for (int i = 0; i < parts_; ++i) memory_.part_of.push_back(parts + i * bytes);
  }

  int count() const {
    return part_tasks() +
           (variant_.finish_attend == nullptr ? 0 : Quotient(params_.heads, kFinishedHeads));
  }

  void Run(int task) {
    if (task < part_tasks()) return Attend(task);
    // Tasks begin in order, so this waits only for what other threads are at.
    for (int left = unfinished_; left > 0; left = unfinished_) unfinished_.wait(left);
    const int first = (task - part_tasks()) * kFinishedHeads;
    variant_.finish_attend(params_, memory_.part_of, first,
                           std::min(kFinishedHeads, params_.heads - first));
  }

 private:
  int part_tasks() const { return parts_ * head_tasks_; }

  // As many as leave a task for each thread.
  int TaskHeads() const {
    const int tasks = Quotient(threads_, parts_);
    const int heads = Quotient(Quotient(params_.heads, tasks), kAttendHeads) * kAttendHeads;
    return std::min(heads, variant_.attend_heads);
  }

  int RowsOf(int part) const {
    return std::clamp(params_.row_count - part * part_rows_, 0, part_rows_);
  }

  void Attend(int number) {
    const int part = number / head_tasks_;
    const int first_head = number % head_tasks_ * task_heads_;
    const int next_part = std::min((number + threads_) / head_tasks_, parts_);
    const AttendTask task = {.first_row = part * part_rows_,
                             .rows = RowsOf(part),
                             .first_head = first_head,
                             .heads = std::min(task_heads_, params_.heads - first_head),
                             .next_row = std::min(next_part * part_rows_, params_.row_count),
                             .next_rows = RowsOf(next_part)};
    thread_local Scratch scratch;
    variant_.attend(params_, task, scratch.Get(variant_.attend_scratch_bytes(params_, task.heads)),
                    memory_.part_of.empty() ? nullptr : memory_.part_of[part]);
    if (--unfinished_ == 0) unfinished_.notify_all();
  }

  const CpuVariant& variant_;
  const AttendParams& params_;
  const int threads_;
  const int part_rows_;
  const int parts_;
  const int task_heads_;
  const int head_tasks_;
  AttendMemory& memory_;         // each task and part its own
  std::atomic<int> unfinished_;  // synchronises itself
};

}  // namespace

void AttendInTasks(const CpuVariant& variant, const AttendParams& params, WorkerPool& pool,
                   AttendMemory* memory) {
  Tasks tasks(variant, params, pool.threads(), memory);
  pool.ParallelFor(tasks.count(), [&tasks](int task, int) { tasks.Run(task); });
}

}  // namespace winnow::kernels
