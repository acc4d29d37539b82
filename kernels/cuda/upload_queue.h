#ifndef WINNOW_KERNELS_CUDA_UPLOAD_QUEUE_H_
#define WINNOW_KERNELS_CUDA_UPLOAD_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

// Brings bytes to the device, gathered in pinned staging buffers and copied on a stream of its own.
// The rule that makes an append visible: the one who appends calls Upload for its pieces and then
// Flush, before it acknowledges; a query calls Order with its stream before its first kernel, and
// that kernel sees every upload that had returned by then. Appends are acknowledged whatever the
// device says: what it lost is an error of the queries that follow.
//
// A query waits for all that a queue was given before. So what only some queries need, or none yet,
// goes through a queue of its own.
//
// An append to a page that queries read must leave the bytes of earlier entries as they are; to
// upload them again, equal, is harmless. So a page of keys, whose bytes lie all over it, may go up
// whole.
//
// After an error the queue stays broken and repeats it, as what was uploaded since is lost.
// Thread-safe.
class UploadQueue {
 public:
  // The device must outlive the queue. Copies begin once those are done that `after`, null for
  // none, was asked for until then: so memory may go from one queue to the other.
  [[nodiscard]] static Error Create(DeviceApi& device, size_t buffer_bytes, int buffers,
                                    std::unique_ptr<UploadQueue>* queue,
                                    UploadQueue* after = nullptr);
  ~UploadQueue();
  UploadQueue(const UploadQueue&) = delete;
  UploadQueue& operator=(const UploadQueue&) = delete;

  // Will copy `from` to device memory; takes the bytes before it returns. Waits while all staging
  // buffers are on their way, and lets others call meanwhile. `allocation` begins what `to` was
  // allocated with: pieces that adjoin go up as one, but not where one allocation ends and another
  // happens to begin.
  [[nodiscard]] Error Upload(std::byte* to, std::span<const std::byte> from,
                             const std::byte* allocation);

  // Starts what has been uploaded; does not wait for it.
  [[nodiscard]] Error Flush();

  // Makes the stream's later work wait for all uploads so far, starting them if need be.
  [[nodiscard]] Error Order(Stream stream);

  // Waits on the host until all uploads so far have arrived; or, after an error, until none is on
  // its way any more.
  [[nodiscard]] Error Finish();

  // Forgets an error, with what was lost to it, once nothing is on its way: of a queue whose only
  // owner uploads again what it needs.
  void Renew();

 private:
  struct Piece {
    const std::byte* allocation;
    std::byte* to;
    size_t offset;  // in the buffer
    size_t bytes;
  };
  struct Buffer {
    std::byte* memory = nullptr;
    Event copied = nullptr;
    bool on_its_way = false;
    uint64_t flights = 0;  // how often it was
    size_t used = 0;
    std::vector<Piece> pieces;
  };

  UploadQueue(DeviceApi& device, size_t buffer_bytes, UploadQueue* after)
      : device_(device), bytes_(buffer_bytes), after_(after) {}
  Error AddBuffer();
  Error Stage(std::byte* to, std::span<const std::byte> from, const std::byte* allocation);
  Error Start();
  // Waits for the buffer, without the lock.
  void AwaitBuffer(Buffer* buffer, std::unique_lock<std::mutex>* lock);
  static void Clear(Buffer* buffer);
  Error Settle(Buffer* buffer);
  Error Keep(Error error);

  // Constant after construction.
  DeviceApi& device_;
  const size_t bytes_;
  UploadQueue* const after_;
  Stream stream_ = nullptr;

  std::mutex mu_;
  // Guarded by mu_, but for what a buffer is made with.
  std::vector<Buffer> buffers_;
  size_t current_ = 0;    // being filled
  Event last_ = nullptr;  // of the buffer that was started last
  Error broken_;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_UPLOAD_QUEUE_H_
