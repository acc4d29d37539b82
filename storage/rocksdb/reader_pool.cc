#include "storage/rocksdb/reader_pool.h"

#include <utility>

namespace winnow {

ReaderPool::ReaderPool(int threads) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

ReaderPool::~ReaderPool() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void ReaderPool::Submit(int copies, std::function<void()> task) {
  absl::MutexLock lock(&mu_);
  for (int i = 1; i < copies; ++i) tasks_.push_back(task);
  tasks_.push_back(std::move(task));
}

void ReaderPool::Work() {
  while (true) {
    std::function<void()> task;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &ReaderPool::HasWork));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace winnow
