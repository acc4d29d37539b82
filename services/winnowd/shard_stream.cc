#include "services/winnowd/shard_stream.h"

#include <utility>

namespace winnow {

ShardStream* ShardStream::Open(v1::Shard::Stub* stub, std::shared_ptr<Owner> owner) {
  auto* stream = new ShardStream(std::move(owner));
  stub->async()->Exchange(&stream->context_, stream);
  // Send() starts writes from outside gRPC's callbacks; the hold keeps OnDone off until it cannot.
  stream->AddHold();
  stream->StartRead(&stream->reply_);
  stream->StartCall();
  return stream;
}

void ShardStream::Send(v1::ShardRequest request) {
  absl::MutexLock lock(&mu_);
  if (broken_) return;
  queue_.push_back(std::move(request));
  if (queue_.size() == 1) StartWrite(&queue_.front());
}

void ShardStream::Forget(uint64_t request_id) {
  absl::MutexLock lock(&mu_);
  // The front one belongs to gRPC until its write is done.
  for (auto it = queue_.begin(); it != queue_.end(); ++it) {
    if (it != queue_.begin() && it->request_id() == request_id) {
      queue_.erase(it);
      return;
    }
  }
}

void ShardStream::Cancel() { context_.TryCancel(); }

void ShardStream::OnReadDone(bool ok) {
  if (ok) {
    owner_->OnReply(reply_);
    StartRead(&reply_);
    return;
  }
  {
    absl::MutexLock lock(&mu_);
    broken_ = true;
  }
  RemoveHold();
}

void ShardStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  queue_.pop_front();
  if (ok && !broken_ && !queue_.empty()) StartWrite(&queue_.front());
}

void ShardStream::OnDone(const grpc::Status& status) {
  owner_->OnEnd(this, status);
  delete this;
}

}  // namespace winnow
