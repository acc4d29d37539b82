#include "kernels/cuda/stream_pool.h"

namespace winnow::kernels::cuda {

StreamPool::Lease::~Lease() {
  // The device may still read the slot's memory. If it is broken, there is nothing left to do.
  if (!finished_) (void)Finish();
  pool_.Return(slot_);
}

Error StreamPool::Lease::Finish() {
  Error error = pool_.device_.Record(slot_->done, slot_->stream);
  if (error.empty()) error = pool_.device_.Synchronize(slot_->done);
  finished_ = error.empty();
  return error;
}

Error StreamPool::Create(DeviceApi& device, int slots, size_t device_bytes, size_t pinned_bytes,
                         std::unique_ptr<StreamPool>* pool) {
  if (slots < 1) return "a pool of " + std::to_string(slots) + " streams; at least 1 is needed";
  std::unique_ptr<StreamPool> made(new StreamPool(device));
  for (int i = 0; i < slots; ++i) {
    if (Error error = made->AddSlot(device_bytes, pinned_bytes); !error.empty()) return error;
  }
  *pool = std::move(made);
  return "";
}

Error StreamPool::AddSlot(size_t device_bytes, size_t pinned_bytes) {
  QuerySlot* slot = slots_.emplace_back(std::make_unique<QuerySlot>()).get();
  slot->device_bytes = device_bytes;
  slot->pinned_bytes = pinned_bytes;
  Error error = device_.CreateStream(&slot->stream);
  if (error.empty()) error = device_.CreateEvent(&slot->done);
  if (error.empty()) error = device_.Allocate(device_bytes, &slot->device);
  if (error.empty()) error = device_.AllocatePinned(pinned_bytes, &slot->pinned);
  std::byte* states = nullptr;
  if (error.empty()) error = device_.Allocate(kSlotStateBytes, &states);
  slot->states = reinterpret_cast<RowState*>(states);
  if (error.empty()) error = device_.FillZero(slot->stream, states, kSlotStateBytes);
  if (error.empty()) free_.push_back(slot);
  return error;
}

StreamPool::~StreamPool() {
  for (const auto& slot : slots_) {
    if (slot->states != nullptr) device_.Free(reinterpret_cast<std::byte*>(slot->states));
    if (slot->pinned != nullptr) device_.FreePinned(slot->pinned);
    if (slot->device != nullptr) device_.Free(slot->device);
    if (slot->done != nullptr) device_.DestroyEvent(slot->done);
    if (slot->stream != nullptr) device_.DestroyStream(slot->stream);
  }
}

StreamPool::Lease StreamPool::Take() {
  std::unique_lock lock(mu_);
  returned_.wait(lock, [this] { return !free_.empty(); });
  QuerySlot* slot = free_.back();
  free_.pop_back();
  return Lease(*this, slot);
}

void StreamPool::Return(QuerySlot* slot) {
  {
    const std::scoped_lock lock(mu_);
    free_.push_back(slot);
  }
  returned_.notify_one();
}

}  // namespace winnow::kernels::cuda
