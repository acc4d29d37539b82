#ifndef WINNOW_STORAGE_ROCKSDB_READER_POOL_H_
#define WINNOW_STORAGE_ROCKSDB_READER_POOL_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace winnow {

// Threads that wait for the disk. RocksDB has one read under way for each of them.
class ReaderPool {
 public:
  explicit ReaderPool(int threads);
  // Ends after what was submitted.
  ~ReaderPool();

  int threads() const { return static_cast<int>(threads_.size()); }
  // Runs the task `copies` times, by as many threads as are free.
  void Submit(int copies, std::function<void()> task);

 private:
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return ending_ || !tasks_.empty(); }
  void Work();

  absl::Mutex mu_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace winnow

#endif  // WINNOW_STORAGE_ROCKSDB_READER_POOL_H_
