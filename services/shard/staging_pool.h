#ifndef WINNOW_SERVICES_SHARD_STAGING_POOL_H_
#define WINNOW_SERVICES_SHARD_STAGING_POOL_H_

#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace winnow::kernels::cuda {
class UploadQueue;
}

namespace winnow::shard {

// Device memory that a query may fill with what has no copy there.
struct Staging {
  std::byte* device = nullptr;
  size_t bytes = 0;
  kernels::cuda::UploadQueue* uploads = nullptr;  // to it alone
};

// A fixed number of stagings, lent one at a time. Thread-safe.
class StagingPool {
 public:
  explicit StagingPool(std::vector<Staging> stagings) : free_(std::move(stagings)) {}

  // Waits while all are lent.
  class Loan {
   public:
    explicit Loan(StagingPool* pool) : pool_(pool), staging_(pool->Take()) {}
    ~Loan() { pool_->Return(staging_); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    const Staging& staging() const { return staging_; }

   private:
    StagingPool* const pool_;
    const Staging staging_;
  };

 private:
  bool HasFree() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !free_.empty(); }

  Staging Take() {
    absl::MutexLock lock(&mu_, absl::Condition(this, &StagingPool::HasFree));
    const Staging staging = free_.back();
    free_.pop_back();
    return staging;
  }
  void Return(const Staging& staging) {
    absl::MutexLock lock(&mu_);
    free_.push_back(staging);
  }

  absl::Mutex mu_;
  std::vector<Staging> free_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_STAGING_POOL_H_
