#ifndef WINNOW_SERVICES_SHARD_BATCH_QUEUE_H_
#define WINNOW_SERVICES_SHARD_BATCH_QUEUE_H_

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "services/shard/staging_pool.h"

namespace winnow::shard {

// Has calls that wait for a staging at the same time done together. The first in the queue waits
// for a staging, and takes along those behind it that can share it; so a call never waits in order
// to be joined by others, and under load a launch serves many. Thread-safe.
template <typename Call>
class BatchQueue {
 public:
  // Does a batch, each call at most once; the status is that of all of it.
  using Run = absl::FunctionRef<absl::Status(const std::vector<const Call*>& batch,
                                             const Staging& staging)>;
  // Whether the call can be done together with the batch, which is not empty.
  using Joins = absl::FunctionRef<bool(const std::vector<const Call*>& batch, const Call& call)>;

  // The stagings must outlive the queue.
  explicit BatchQueue(StagingPool* stagings) : stagings_(*stagings) {}

  // Runs the call in this thread, together with others, or waits until another thread has.
  absl::Status Do(const Call& call, Joins joins, Run run) {
    Waiting self{&call};
    {
      absl::MutexLock lock(&mu_);
      queue_.push_back(&self);
      const auto is_next = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return self.done || (!self.taken && queue_.front() == &self);
      };
      mu_.Await(absl::Condition(&is_next));
      if (self.done) return self.status;
    }
    const StagingPool::Loan loan(&stagings_);
    std::vector<Waiting*> taken;
    std::vector<const Call*> batch;
    Take(joins, &taken, &batch);
    const absl::Status status = run(batch, loan.staging());
    absl::MutexLock lock(&mu_);
    for (Waiting* waiting : taken) {
      waiting->status = status;
      waiting->done = true;
    }
    return status;
  }

  // Calls that no batch has taken yet.
  size_t waiting() const {
    absl::MutexLock lock(&mu_);
    return queue_.size();
  }

 private:
  struct Waiting {
    const Call* call;
    bool taken = false;  // out of the queue
    bool done = false;
    absl::Status status;
  };

  void Take(Joins joins, std::vector<Waiting*>* taken, std::vector<const Call*>* batch) {
    absl::MutexLock lock(&mu_);
    std::deque<Waiting*> left;
    for (Waiting* waiting : queue_) {
      waiting->taken = batch->empty() || joins(*batch, *waiting->call);
      if (!waiting->taken) {
        left.push_back(waiting);
        continue;
      }
      taken->push_back(waiting);
      batch->push_back(waiting->call);
    }
    queue_ = std::move(left);
  }

  StagingPool& stagings_;
  mutable absl::Mutex mu_;
  std::deque<Waiting*> queue_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_BATCH_QUEUE_H_
