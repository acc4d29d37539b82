#ifndef WINNOW_SERVICES_WIRE_CALL_STREAM_RPC_H_
#define WINNOW_SERVICES_WIRE_CALL_STREAM_RPC_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/alarm.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"

namespace winnow::wire {

// One RPC of a CallStream, with its Traits. Runs on gRPC's threads and deletes itself when it is
// over.
template <typename Traits>
class CallStreamRpc final
    : public grpc::ClientBidiReactor<typename Traits::Request, typename Traits::Reply> {
 public:
  using Request = typename Traits::Request;
  using Reply = typename Traits::Reply;
  using Reactor = grpc::ClientBidiReactor<Request, Reply>;

  // Who is told of it. OnBreak comes once and before OnEnd: from then on nothing is read.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void Open(grpc::ClientContext* context, Reactor* reactor) = 0;
    virtual void OnReply(Reply reply) = 0;
    virtual void OnBreak(CallStreamRpc* rpc) = 0;
    // Its status has not come in the time that it has for that after a break. It may be over.
    virtual void OnNoEnd(CallStreamRpc* rpc) = 0;
    virtual void OnEnd(CallStreamRpc* rpc, const grpc::Status& status) = 0;
    // The last: the RPC is no more.
    virtual void Leave() = 0;
  };

  explicit CallStreamRpc(std::shared_ptr<Owner> owner) : owner_(std::move(owner)) {
    owner_->Open(&context_, this);
    // Keeps OnDone off while requests may still be queued.
    this->AddHold();
    this->StartRead(&reply_);
    this->StartCall();
  }

  // Queues a request. Not after the owner was told of a break. True for the first of the queue: the
  // caller has to call Write once it holds no lock, for gRPC serialises the request in it.
  bool Queue(Request request) {
    absl::MutexLock lock(&mu_);
    queue_.push_back(std::move(request));
    if (queue_.size() > 1) return false;
    this->AddHold();
    return true;
  }

  // The RPC may be over when it returns.
  void Write() {
    this->StartWrite(Front());
    this->RemoveHold();
  }

  // Drops a request that is still waiting to be sent.
  void Forget(uint64_t id) {
    absl::MutexLock lock(&mu_);
    if (queue_.empty()) return;
    // The front one belongs to its write until that is done.
    queue_.remove_if([&front = queue_.front(), id](const Request& request) {
      return &request != &front && Traits::Id(request) == id;
    });
  }

  void Cancel() { context_.TryCancel(); }
  // Cancels what has broken and does not end: it ends as a peer whose replies cannot be read.
  void GiveUp() {
    gave_up_ = true;
    Cancel();
  }

 private:
  // A reply that cannot be read breaks the stream, but the peer does not know and sends no status.
  // An earlier cancellation might replace a status that is on its way.
  static constexpr absl::Duration kTimeToEnd = absl::Seconds(1);

  const Request* Front() {
    absl::MutexLock lock(&mu_);
    return &queue_.front();
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      owner_->OnReply(std::move(reply_));
      reply_.Clear();
      this->StartRead(&reply_);
      return;
    }
    owner_->OnBreak(this);
    broken_ = true;
    end_alarm_.Set(absl::ToChronoTime(absl::Now() + kTimeToEnd),
                   [owner = owner_, this](bool fired) {
                     if (fired) owner->OnNoEnd(this);
                   });
    this->RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    const Request* next = nullptr;
    std::list<Request> written;  // freed under no lock
    {
      absl::MutexLock lock(&mu_);
      written.splice(written.begin(), queue_, queue_.begin());
      if (ok && !broken_ && !queue_.empty()) next = &queue_.front();
    }
    if (next != nullptr) this->StartWrite(next);
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<Owner> owner = owner_;
    const bool unreadable = gave_up_ && status.error_code() == grpc::StatusCode::CANCELLED;
    owner->OnEnd(this, unreadable ? grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                                 "it sent what cannot be read")
                                  : status);
    // Before Close returns: the context shares the channel, whose last owner must not be a thread
    // of gRPC's, which would wait for itself.
    delete this;
    owner->Leave();
  }

  const std::shared_ptr<Owner> owner_;
  grpc::ClientContext context_;
  Reply reply_;  // belongs to the read that is under way
  std::atomic<bool> broken_ = false;
  std::atomic<bool> gave_up_ = false;
  grpc::Alarm end_alarm_;
  absl::Mutex mu_;
  // Until it breaks, whenever it is not empty someone writes the front one, or is about to.
  std::list<Request> queue_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_CALL_STREAM_RPC_H_
