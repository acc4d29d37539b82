#include "tests/gpu/fake_device.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/cuda/simulator/simulated_kernels.h"

namespace winnow::kernels::cuda {
namespace {

// Of an H200.
constexpr size_t kSharedBytesPerBlock = 232448;
constexpr size_t kSharedBytesPerMultiprocessor = 233472;
constexpr size_t kAlignment = 256;

}  // namespace

FakeDevice::FakeDevice(uint64_t seed, int multiprocessors) : seed_(seed) {
  properties_.name = "a stand-in for a GPU";
  properties_.compute_capability = 90;
  properties_.memory_bytes = memory_left_;
  properties_.free_bytes = memory_left_;
  properties_.limits = {multiprocessors, kSharedBytesPerBlock, kSharedBytesPerMultiprocessor,
                        /*has_groups=*/true};
}

void FakeDevice::Fail(Call call, int n, bool all_after) {
  const std::scoped_lock lock(mu_);
  Fault& fault = faults_[call];
  fault.fail_at = fault.calls + n;
  fault.all_after = all_after;
}

void FakeDevice::LimitMemory(size_t bytes) {
  const std::scoped_lock lock(mu_);
  memory_left_ = bytes;
  properties_.free_bytes = bytes;
}

void FakeDevice::DelayWork(bool delay) {
  const std::scoped_lock lock(mu_);
  delay_ = delay;
}

void FakeDevice::WhileSynchronizing(std::function<void()> work) {
  const std::scoped_lock lock(mu_);
  while_synchronizing_ = std::move(work);
}

void FakeDevice::UseThreads(int threads) {
  const std::scoped_lock lock(mu_);
  threads_ = threads;
}

void FakeDevice::LimitSharedMemory(size_t bytes_per_block) {
  properties_.limits.shared_bytes_per_block = bytes_per_block;
  properties_.limits.shared_bytes_per_multiprocessor = bytes_per_block + 1024;
}

size_t FakeDevice::live() const {
  const std::scoped_lock lock(mu_);
  return memory_.size() + streams_.size() + events_.size();
}

int FakeDevice::calls(Call call) const {
  const std::scoped_lock lock(mu_);
  const auto found = faults_.find(call);
  return found == faults_.end() ? 0 : found->second.calls;
}

Error FakeDevice::Count(Call call) {
  Fault& fault = faults_[call];
  ++fault.calls;
  const bool fails =
      fault.calls == fault.fail_at || (fault.all_after && fault.calls > fault.fail_at);
  return fails ? "the stand-in was told to fail this call" : "";
}

Error FakeDevice::Take(size_t bytes, bool pinned, std::byte** memory) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (!pinned && bytes > memory_left_) return "the stand-in is out of memory";
  std::shared_ptr<std::byte> block(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)),
                                   std::free);
  std::memset(block.get(), 0xff, rounded);
  if (!pinned) memory_left_ -= bytes;
  *memory = block.get();
  memory_[*memory] = {bytes, pinned, std::move(block)};
  return "";
}

Error FakeDevice::AllocateNeighbours(size_t bytes, std::byte** first, std::byte** second) {
  const std::scoped_lock lock(mu_);
  if (Error error = Take(2 * bytes, false, first); !error.empty()) return error;
  *second = *first + bytes;
  Memory& both = memory_[*first];
  both.bytes = bytes;
  memory_[*second] = both;
  return "";
}

void FakeDevice::GiveBack(std::byte* memory) {
  const std::scoped_lock lock(mu_);
  const auto found = memory_.find(memory);
  if (found == memory_.end()) std::abort();
  if (!found->second.pinned) memory_left_ += found->second.bytes;
  memory_.erase(found);
}

Error FakeDevice::Allocate(size_t bytes, std::byte** memory) {
  const std::scoped_lock lock(mu_);
  Error error = Count(Call::kAllocate);
  return error.empty() ? Take(bytes, false, memory) : error;
}

Error FakeDevice::AllocatePinned(size_t bytes, std::byte** memory) {
  const std::scoped_lock lock(mu_);
  Error error = Count(Call::kAllocatePinned);
  return error.empty() ? Take(bytes, true, memory) : error;
}

void FakeDevice::Free(std::byte* memory) { GiveBack(memory); }
void FakeDevice::FreePinned(std::byte* memory) { GiveBack(memory); }

Error FakeDevice::CreateStream(Stream* stream) {
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kCreateStream); !error.empty()) return error;
  auto made = std::make_unique<FakeStream>();
  *stream = reinterpret_cast<Stream>(made.get());
  streams_[made.get()] = std::move(made);
  return "";
}

void FakeDevice::DestroyStream(Stream stream) {
  const std::scoped_lock lock(mu_);
  if (streams_.erase(reinterpret_cast<FakeStream*>(stream)) != 1) std::abort();
}

Error FakeDevice::CreateEvent(Event* event) {
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kCreateEvent); !error.empty()) return error;
  auto made = std::make_unique<FakeEvent>();
  *event = reinterpret_cast<Event>(made.get());
  events_[made.get()] = std::move(made);
  return "";
}

void FakeDevice::DestroyEvent(Event event) {
  const std::scoped_lock lock(mu_);
  if (events_.erase(reinterpret_cast<FakeEvent*>(event)) != 1) std::abort();
}

const FakeDevice::Memory* FakeDevice::Find(const void* from, size_t bytes) const {
  const auto* at = static_cast<const std::byte*>(from);
  auto found = memory_.upper_bound(at);
  if (found == memory_.begin()) return nullptr;
  --found;
  return at + bytes <= found->first + found->second.bytes ? &found->second : nullptr;
}

size_t FakeDevice::sent_bytes() const {
  const std::scoped_lock lock(mu_);
  return sent_bytes_;
}

void FakeDevice::Give(Stream stream, Work work) {
  auto* to = reinterpret_cast<FakeStream*>(stream);
  to->work.push_back(std::move(work));
  ++to->given;
  if (!delay_) Drain(to, to->given);
}

void FakeDevice::Drain(FakeStream* stream, uint64_t mark) {
  while (stream->done < mark) {
    const Work work = std::move(stream->work.front());
    stream->work.pop_front();
    ++stream->done;
    Error error = work();
    if (stream->error.empty()) stream->error = std::move(error);
  }
}

Error FakeDevice::Copy(Stream stream, void* to, const void* from, size_t bytes) {
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kCopy); !error.empty()) return error;
  const Memory* target = Find(to, bytes);
  const Memory* source = Find(from, bytes);
  if (target == nullptr || source == nullptr) {
    return "a copy of " + std::to_string(bytes) + " bytes leaves what was allocated";
  }
  if (source->pinned && !target->pinned) sent_bytes_ += bytes;
  Give(stream, [=] {
    std::memcpy(to, from, bytes);
    return Error();
  });
  return "";
}

Error FakeDevice::FillZero(Stream stream, void* to, size_t bytes) {
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kFillZero); !error.empty()) return error;
  if (Find(to, bytes) == nullptr) return "a fill leaves what was allocated";
  Give(stream, [=] {
    std::memset(to, 0, bytes);
    return Error();
  });
  return "";
}

Error FakeDevice::Launch(Stream stream, const LaunchShape& shape, const KernelCall& call) {
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kLaunch); !error.empty()) return error;
  if (shape.shared_bytes > properties_.limits.shared_bytes_per_block) {
    return "a launch asks for more shared memory than a block can have";
  }
  const simulator::Options options{.seed = seed_++, .os_threads = threads_};
  Give(stream, [=] { return simulator::RunKernel(shape, call, options); });
  return "";
}

Error FakeDevice::Record(Event event, Stream stream) {
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kRecord); !error.empty()) return error;
  auto* from = reinterpret_cast<FakeStream*>(stream);
  *reinterpret_cast<FakeEvent*>(event) = {from, from->given};
  return "";
}

Error FakeDevice::Wait(Stream stream, Event event) {
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kWait); !error.empty()) return error;
  const FakeEvent mark = *reinterpret_cast<FakeEvent*>(event);
  if (mark.stream == nullptr) return "";
  Give(stream, [=, this] {
    Drain(mark.stream, mark.mark);
    return mark.stream->error;
  });
  return "";
}

Error FakeDevice::Synchronize(Event event) {
  std::function<void()> meanwhile;
  {
    const std::scoped_lock lock(mu_);
    meanwhile = while_synchronizing_;
  }
  if (meanwhile) meanwhile();
  const std::scoped_lock lock(mu_);
  if (Error error = Count(Call::kSynchronize); !error.empty()) return error;
  const FakeEvent mark = *reinterpret_cast<FakeEvent*>(event);
  if (mark.stream == nullptr) return "";
  Drain(mark.stream, mark.mark);
  return std::exchange(mark.stream->error, Error());
}

}  // namespace winnow::kernels::cuda
