#ifndef WINNOW_TESTS_GPU_FAKE_DEVICE_H_
#define WINNOW_TESTS_GPU_FAKE_DEVICE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "kernels/cuda/device_api.h"

namespace winnow::kernels::cuda {

// A GPU of host memory, whose kernels run on the simulator. It makes these faults, which the host
// logic must survive without a leak, a hang or a wrong answer:
//   * any call may fail, the n-th of its kind
//   * device memory may end
//   * work is done late: no earlier than someone waits for it, so that what reads before a wait, or
//     reuses memory too early, sees the difference
// It refuses copies that leave what was allocated. Fresh memory holds 0xff bytes (NaN).
// Thread-safe.
class FakeDevice final : public DeviceApi {
 public:
  enum class Call {
    kAllocate,
    kAllocatePinned,
    kCreateStream,
    kCreateEvent,
    kCopy,
    kFillZero,
    kLaunch,
    kRecord,
    kWait,
    kSynchronize,
  };

  explicit FakeDevice(uint64_t seed, int multiprocessors = 3);

  // The n-th call of this kind from now on fails, n >= 1; and the ones after it where `all_after`.
  void Fail(Call call, int n, bool all_after = false);
  // As if somebody else had taken the rest; before others know of the device.
  void LimitMemory(size_t bytes);
  void DelayWork(bool delay);
  // Called at the beginning of each Synchronize, which takes as long as that takes.
  void WhileSynchronizing(std::function<void()> work);
  // Blocks of a kernel that run at the same time.
  void UseThreads(int threads);
  void LimitSharedMemory(size_t bytes_per_block);
  // Two allocations, the second of which begins where the first ends; of a multiple of 256 bytes.
  Error AllocateNeighbours(size_t bytes, std::byte** first, std::byte** second);

  // Allocations, streams and events that have not been given back.
  size_t live() const;
  int calls(Call call) const;
  // Copied from pinned to device memory.
  size_t sent_bytes() const;

  const DeviceProperties& properties() const override { return properties_; }
  Error Allocate(size_t bytes, std::byte** memory) override;
  void Free(std::byte* memory) override;
  Error AllocatePinned(size_t bytes, std::byte** memory) override;
  void FreePinned(std::byte* memory) override;
  Error CreateStream(Stream* stream) override;
  void DestroyStream(Stream stream) override;
  Error CreateEvent(Event* event) override;
  void DestroyEvent(Event event) override;
  Error Copy(Stream stream, void* to, const void* from, size_t bytes) override;
  Error FillZero(Stream stream, void* to, size_t bytes) override;
  Error Launch(Stream stream, const LaunchShape& shape, const KernelCall& call) override;
  Error Record(Event event, Stream stream) override;
  Error Wait(Stream stream, Event event) override;
  Error Synchronize(Event event) override;

 private:
  using Work = std::function<Error()>;
  struct FakeStream {
    std::deque<Work> work;
    uint64_t given = 0;
    uint64_t done = 0;
    Error error;  // of the first work that failed
  };
  struct FakeEvent {
    FakeStream* stream = nullptr;
    uint64_t mark = 0;  // work given to the stream before
  };
  struct Fault {
    int calls = 0;
    int fail_at = 0;
    bool all_after = false;
  };
  struct Memory {
    size_t bytes;
    bool pinned;
    std::shared_ptr<std::byte> block;  // that it is in
  };

  Error Count(Call call);
  Error Take(size_t bytes, bool pinned, std::byte** memory);
  void GiveBack(std::byte* memory);
  // What was allocated and holds these bytes; null if nothing does.
  const Memory* Find(const void* from, size_t bytes) const;
  void Give(Stream stream, Work work);
  void Drain(FakeStream* stream, uint64_t mark);

  DeviceProperties properties_;
  mutable std::recursive_mutex mu_;
  // Guarded by mu_.
  uint64_t seed_;
  int threads_ = 1;
  bool delay_ = false;
  std::function<void()> while_synchronizing_;
  size_t memory_left_ = size_t{1} << 40;
  size_t sent_bytes_ = 0;
  std::map<Call, Fault> faults_;
  std::map<const std::byte*, Memory> memory_;
  std::map<FakeStream*, std::unique_ptr<FakeStream>> streams_;
  std::map<FakeEvent*, std::unique_ptr<FakeEvent>> events_;
};

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_TESTS_GPU_FAKE_DEVICE_H_
