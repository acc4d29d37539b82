#include "kernels/worker_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace winnow::kernels {
namespace {

// One ParallelFor, on its caller's stack.
struct Job {
  const std::function<void(int, int)>* work;
  int tasks;
  std::atomic<int> next_task = 0;
  int helpers_joined = 0;   // guarded by State::mu; each gave itself the next worker number
  int helpers_running = 0;  // guarded by State::mu

  void Run(int worker) {
    for (int task = next_task.fetch_add(1); task < tasks; task = next_task.fetch_add(1)) {
      (*work)(task, worker);
    }
  }
};

}  // namespace

struct WorkerPool::State {
  int threads = 1;
  std::vector<std::thread> helpers;
  std::mutex mu;
  std::condition_variable job_added;
  std::condition_variable helper_left;
  std::deque<Job*> jobs;  // guarded by mu; those that may still have unclaimed tasks
  bool stopping = false;  // guarded by mu

  void Remove(Job* job) { jobs.erase(std::remove(jobs.begin(), jobs.end(), job), jobs.end()); }

  void Help() {
    std::unique_lock lock(mu);
    while (true) {
      job_added.wait(lock, [this] { return stopping || !jobs.empty(); });
      if (stopping) return;
      Job* job = jobs.front();
      jobs.pop_front();
      const int worker = ++job->helpers_joined;
      ++job->helpers_running;
      // Behind the others, so that helpers spread over the callers.
      if (worker + 1 < threads) jobs.push_back(job);
      lock.unlock();
      job->Run(worker);
      lock.lock();
      Remove(job);
      if (--job->helpers_running == 0) helper_left.notify_all();
    }
  }
};

WorkerPool::WorkerPool(int threads) : state_(std::make_unique<State>()) {
  state_->threads = std::max(1, threads);
  for (int i = 1; i < state_->threads; ++i) {
    state_->helpers.emplace_back([state = state_.get()] { state->Help(); });
  }
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(state_->mu);
    state_->stopping = true;
  }
  state_->job_added.notify_all();
  for (std::thread& helper : state_->helpers) helper.join();
}

int WorkerPool::threads() const { return state_->threads; }

void WorkerPool::ParallelFor(int tasks, const std::function<void(int, int)>& work) {
  Job job{.work = &work, .tasks = tasks};
  if (tasks <= 1 || state_->threads == 1) return job.Run(0);
  {
    std::lock_guard lock(state_->mu);
    state_->jobs.push_back(&job);
  }
  if (tasks == 2) {
    state_->job_added.notify_one();
  } else {
    state_->job_added.notify_all();
  }
  job.Run(0);
  std::unique_lock lock(state_->mu);
  state_->Remove(&job);
  state_->helper_left.wait(lock, [&job] { return job.helpers_running == 0; });
}

}  // namespace winnow::kernels
