#ifndef WINNOW_KERNELS_WORKER_POOL_H_
#define WINNOW_KERNELS_WORKER_POOL_H_

#include <functional>
#include <memory>

namespace winnow::kernels {

// Threads that divide one kernel call among themselves. Several callers may share a pool; each
// caller works on its own call too, so a call always makes progress.
class WorkerPool {
 public:
  // threads: parallelism of one call, the caller included; at least 1.
  explicit WorkerPool(int threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int threads() const;

  // Runs work(task, worker) for each task in 0 .. tasks - 1 and returns when all have finished.
  // Tasks are claimed in ascending order. `worker` is in 0 .. threads() - 1 and no two tasks run at
  // once with the same `worker` within this call, so it can index scratch space. Thread-safe.
  // `work` must not throw and must not call ParallelFor on the same pool.
  void ParallelFor(int tasks, const std::function<void(int task, int worker)>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_WORKER_POOL_H_
