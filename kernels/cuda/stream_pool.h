#ifndef WINNOW_KERNELS_CUDA_STREAM_POOL_H_
#define WINNOW_KERNELS_CUDA_STREAM_POOL_H_

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/score_topk.h"

namespace winnow::kernels::cuda {

// What a query in flight has to itself.
struct QuerySlot {
  Stream stream = nullptr;
  Event done = nullptr;
  std::byte* device = nullptr;  // [device_bytes] workspace
  size_t device_bytes = 0;
  std::byte* pinned = nullptr;  // [pinned_bytes] for what goes up and comes down
  size_t pinned_bytes = 0;
  RowState* states = nullptr;  // [kMostLaunchRows] all zero, as each launch leaves them
};
inline constexpr size_t kSlotStateBytes = kMostLaunchRows * sizeof(RowState);

// A fixed number of slots, taken at the start. A query waits for one in the order of arrival of
// the lock; so as many queries run at once as there are slots, and no more memory is ever taken.
// Thread-safe.
class StreamPool {
 public:
  // A slot, until it goes out of scope; waits then for the slot's stream, if Finish did not.
  class Lease {
   public:
    Lease(StreamPool& pool, QuerySlot* slot) : pool_(pool), slot_(slot) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    const QuerySlot& slot() const { return *slot_; }
    // Waits for all that the stream has been given.
    [[nodiscard]] Error Finish();

   private:
    StreamPool& pool_;
    QuerySlot* const slot_;
    bool finished_ = false;
  };

  // The device must outlive the pool.
  [[nodiscard]] static Error Create(DeviceApi& device, int slots, size_t device_bytes,
                                    size_t pinned_bytes, std::unique_ptr<StreamPool>* pool);
  // No lease may be left.
  ~StreamPool();
  StreamPool(const StreamPool&) = delete;
  StreamPool& operator=(const StreamPool&) = delete;

  // Waits while all slots are taken.
  [[nodiscard]] Lease Take();

 private:
  explicit StreamPool(DeviceApi& device) : device_(device) {}
  Error AddSlot(size_t device_bytes, size_t pinned_bytes);
  void Return(QuerySlot* slot);

  // Constant after construction.
  DeviceApi& device_;
  std::vector<std::unique_ptr<QuerySlot>> slots_;

  std::mutex mu_;
  std::condition_variable returned_;
  std::vector<QuerySlot*> free_;  // guarded by mu_
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_STREAM_POOL_H_
