#ifndef WINNOW_SERVICES_WINNOWD_SHARD_STREAM_H_
#define WINNOW_SERVICES_WINNOWD_SHARD_STREAM_H_

#include <cstdint>
#include <list>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow {

// One Exchange stream: sends requests in order and hands replies to its owner. Runs on gRPC's
// threads and deletes itself after Owner::OnEnd.
class ShardStream final : public grpc::ClientBidiReactor<v1::ShardRequest, v1::ShardReply> {
 public:
  // Called without locks held, on any thread; OnReply never after OnEnd.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnReply(const v1::ShardReply& reply) = 0;
    // The stream is gone; the pointer must not be used after this returns.
    virtual void OnEnd(ShardStream* stream, const grpc::Status& status) = 0;
  };

  // Opens a stream. The stub must outlive it; the owner is kept alive by it.
  static ShardStream* Open(v1::Shard::Stub* stub, std::shared_ptr<Owner> owner);

  // Queues a request; dropped if the stream has broken, which OnEnd reports. Thread-safe.
  void Send(v1::ShardRequest request);
  // Drops a request that has not been sent yet. Thread-safe.
  void Forget(uint64_t request_id);
  // Breaks the stream. Thread-safe.
  void Cancel();

 private:
  explicit ShardStream(std::shared_ptr<Owner> owner) : owner_(std::move(owner)) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const std::shared_ptr<Owner> owner_;
  grpc::ClientContext context_;
  v1::ShardReply reply_;  // belongs to the read that is under way

  absl::Mutex mu_;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;
  // The front one is being written whenever the queue is not empty.
  std::list<v1::ShardRequest> queue_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_SHARD_STREAM_H_
