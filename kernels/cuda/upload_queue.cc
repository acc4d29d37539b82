#include "kernels/cuda/upload_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace winnow::kernels::cuda {

Error UploadQueue::Create(DeviceApi& device, size_t buffer_bytes, int buffers,
                          std::unique_ptr<UploadQueue>* queue, UploadQueue* after) {
  std::unique_ptr<UploadQueue> made(new UploadQueue(device, buffer_bytes, after));
  Error error = device.CreateStream(&made->stream_);
  for (int i = 0; i < buffers && error.empty(); ++i) error = made->AddBuffer();
  if (!error.empty()) return error;
  *queue = std::move(made);
  return "";
}

Error UploadQueue::AddBuffer() {
  Buffer& buffer = buffers_.emplace_back();
  Error error = device_.AllocatePinned(bytes_, &buffer.memory);
  return error.empty() ? device_.CreateEvent(&buffer.copied) : error;
}

UploadQueue::~UploadQueue() {
  // The device must not read the buffers any more. If it is broken, there is nothing left to do.
  for (Buffer& buffer : buffers_) (void)Settle(&buffer);
  for (const Buffer& buffer : buffers_) {
    if (buffer.copied != nullptr) device_.DestroyEvent(buffer.copied);
    if (buffer.memory != nullptr) device_.FreePinned(buffer.memory);
  }
  if (stream_ != nullptr) device_.DestroyStream(stream_);
}

Error UploadQueue::Upload(std::byte* to, std::span<const std::byte> from,
                          const std::byte* allocation) {
  std::unique_lock lock(mu_);
  while (!from.empty() && broken_.empty()) {
    Buffer& buffer = buffers_[current_];
    if (buffer.on_its_way) {
      AwaitBuffer(&buffer, &lock);
      continue;
    }
    const size_t bytes = std::min(from.size(), bytes_ - buffer.used);
    (void)Keep(Stage(to, from.first(bytes), allocation));
    to += bytes;
    from = from.subspan(bytes);
  }
  return broken_;
}

Error UploadQueue::Stage(std::byte* to, std::span<const std::byte> from,
                         const std::byte* allocation) {
  Buffer& buffer = buffers_[current_];
  std::memcpy(buffer.memory + buffer.used, from.data(), from.size());
  Piece* const last = buffer.pieces.empty() ? nullptr : &buffer.pieces.back();
  if (last != nullptr && last->allocation == allocation && last->to + last->bytes == to) {
    last->bytes += from.size();
  } else {
    buffer.pieces.push_back({allocation, to, buffer.used, from.size()});
  }
  buffer.used += from.size();
  return buffer.used == bytes_ ? Start() : "";
}

Error UploadQueue::Start() {
  Buffer& buffer = buffers_[current_];
  if (buffer.used == 0 || buffer.on_its_way) return "";
  // Marked first: even if only some copies can be started, the buffer must be waited for.
  buffer.on_its_way = true;
  ++buffer.flights;
  if (after_ != nullptr) {
    if (Error error = after_->Order(stream_); !error.empty()) return error;
  }
  for (const Piece& piece : buffer.pieces) {
    Error error = device_.Copy(stream_, piece.to, buffer.memory + piece.offset, piece.bytes);
    if (!error.empty()) return error;
  }
  if (Error error = device_.Record(buffer.copied, stream_); !error.empty()) return error;
  last_ = buffer.copied;
  current_ = (current_ + 1) % buffers_.size();
  return "";
}

void UploadQueue::AwaitBuffer(Buffer* buffer, std::unique_lock<std::mutex>* lock) {
  const uint64_t flight = buffer->flights;
  lock->unlock();
  Error error = device_.Synchronize(buffer->copied);
  lock->lock();
  (void)Keep(std::move(error));
  // Another thread may have been here before, filled it again, and even sent it.
  if (broken_.empty() && buffer->on_its_way && buffer->flights == flight) Clear(buffer);
}

void UploadQueue::Clear(Buffer* buffer) {
  buffer->on_its_way = false;
  buffer->used = 0;
  buffer->pieces.clear();
}

Error UploadQueue::Settle(Buffer* buffer) {
  if (!buffer->on_its_way) return "";
  // A buffer that could not be marked when it was started is marked now.
  Error error;
  if (!broken_.empty()) error = device_.Record(buffer->copied, stream_);
  if (error.empty()) error = device_.Synchronize(buffer->copied);
  Clear(buffer);
  return error;
}

Error UploadQueue::Keep(Error error) {
  if (broken_.empty()) broken_ = std::move(error);
  return broken_;
}

Error UploadQueue::Flush() {
  const std::scoped_lock lock(mu_);
  return broken_.empty() ? Keep(Start()) : broken_;
}

Error UploadQueue::Order(Stream stream) {
  const std::scoped_lock lock(mu_);
  if (broken_.empty()) (void)Keep(Start());
  if (!broken_.empty() || last_ == nullptr) return broken_;
  return device_.Wait(stream, last_);
}

Error UploadQueue::Finish() {
  const std::scoped_lock lock(mu_);
  if (broken_.empty()) (void)Keep(Start());
  for (Buffer& buffer : buffers_) {
    (void)Keep(Settle(&buffer));
  }
  return broken_;
}

void UploadQueue::Renew() {
  const std::scoped_lock lock(mu_);
  if (broken_.empty()) return;
  for (Buffer& buffer : buffers_) {
    (void)Settle(&buffer);
    Clear(&buffer);
  }
  last_ = nullptr;
  broken_.clear();
}

}  // namespace winnow::kernels::cuda
