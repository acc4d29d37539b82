#include "services/winnowd/executor.h"

#include <utility>

namespace winnow {

Executor::Executor(int threads, size_t max_queued) : max_queued_(max_queued) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Executor::~Executor() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void Executor::Submit(absl::AnyInvocable<void()> task) {
  absl::MutexLock lock(&mu_, absl::Condition(this, &Executor::HasRoom));
  queue_.push_back(std::move(task));
}

void Executor::Work() {
  while (true) {
    absl::AnyInvocable<void()> task;
    {
      absl::MutexLock lock(&mu_, absl::Condition(this, &Executor::HasTaskOrStops));
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace winnow
