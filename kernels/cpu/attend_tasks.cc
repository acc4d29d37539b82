#include "kernels/cpu/attend_tasks.h"

#include <algorithm>
#include <atomic>

namespace winnow::kernels {
namespace {

// Heads that are finished at once.
constexpr int kFinishedHeads = 16;

int Quotient(int all, int each) { return (all + each - 1) / each; }

// First the tasks, each of a few heads over one part or several, then those that finish heads.
class Tasks {
 public:
  Tasks(const CpuVariant& variant, const AttendParams& params, int threads, AttendMemory* memory)
      : variant_(variant),
        params_(params),
        threads_(threads),
        parts_(Quotient(params.row_count, kAttendRows)),
        task_heads_(TaskHeads()),
        head_tasks_(Quotient(params.heads, task_heads_)),
        task_parts_(TaskParts()),
        part_tasks_(Quotient(parts_, task_parts_) * head_tasks_),
        memory_(*memory),
        unfinished_(part_tasks_) {
    const size_t bytes = variant.attend_part_bytes(params);
    std::byte* parts = memory_.parts.Get(parts_ * bytes);
    memory_.part_of.clear();
    for (int i = 0; i < parts_; ++i) memory_.part_of.push_back(parts + i * bytes);
  }

  int count() const { return part_tasks_ + Quotient(params_.heads, kFinishedHeads); }

  void Run(int task) {
    if (task < part_tasks_) return Attend(task);
    // Tasks begin in order, so this waits only for what other threads are at.
    for (int left = unfinished_; left > 0; left = unfinished_) unfinished_.wait(left);
    const int first = (task - part_tasks_) * kFinishedHeads;
    variant_.finish_attend(params_, memory_.part_of, first,
                           std::min(kFinishedHeads, params_.heads - first));
  }

 private:
  // As many as leave a task for each thread.
  int TaskHeads() const {
    const int tasks = Quotient(threads_, parts_);
    const int heads = Quotient(Quotient(params_.heads, tasks), kAttendHeads) * kAttendHeads;
    return std::min(heads, variant_.attend_heads);
  }

  // All where heads alone keep every thread busy to the end, as queries are then arranged once.
  int TaskParts() const {
    if (head_tasks_ % threads_ == 0) return parts_;
    return std::max(1, parts_ * head_tasks_ / (2 * threads_));
  }

  int RowsOf(int part) const {
    return std::clamp(params_.row_count - part * kAttendRows, 0, kAttendRows);
  }
  int FirstPartOf(int number) const { return std::min(number / head_tasks_ * task_parts_, parts_); }

  void Attend(int number) {
    const int first_part = FirstPartOf(number);
    const int last_part = std::min(first_part + task_parts_, parts_) - 1;
    const int first_head = number % head_tasks_ * task_heads_;
    const int heads = std::min(task_heads_, params_.heads - first_head);
    thread_local Scratch scratches;
    std::byte* scratch = scratches.Get(variant_.attend_scratch_bytes(params_, heads));
    for (int part = first_part; part <= last_part; ++part) {
      const int next_part = part < last_part ? part + 1 : FirstPartOf(number + threads_);
      const AttendTask task = {.first_row = part * kAttendRows,
                               .rows = RowsOf(part),
                               .first_head = first_head,
                               .heads = heads,
                               .first = part == first_part,
                               .next_row = std::min(next_part * kAttendRows, params_.row_count),
                               .next_rows = RowsOf(next_part)};
      variant_.attend(params_, task, scratch, memory_.part_of[part]);
    }
    if (--unfinished_ == 0) unfinished_.notify_all();
  }

  const CpuVariant& variant_;
  const AttendParams& params_;
  const int threads_;
  const int parts_;
  const int task_heads_;
  const int head_tasks_;
  const int task_parts_;
  const int part_tasks_;
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
