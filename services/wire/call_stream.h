#ifndef WINNOW_SERVICES_WIRE_CALL_STREAM_H_
#define WINNOW_SERVICES_WIRE_CALL_STREAM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/alarm.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "services/wire/call_stream_rpc.h"
#include "services/wire/stream_peer.h"
#include "storage/error.h"

namespace winnow::wire {

// Many calls over one bidirectional stream, matched by id. Every call ends: with its reply, with
// DEADLINE_EXCEEDED at its deadline, or with an error of its peer's when the stream breaks, as it
// does by a reply that cannot be read. The next call after a break opens a new stream; a call is
// never sent twice. Thread-safe.
//
// Traits names the messages and where their id is:
//   using Request, Reply;
//   static void SetId(Request*, uint64_t);  static uint64_t Id(const Request or Reply&);
template <typename Traits>
class CallStream {
 public:
  using Request = typename Traits::Request;
  using Reply = typename Traits::Reply;
  using Reactor = grpc::ClientBidiReactor<Request, Reply>;
  // Runs once, on one of gRPC's threads or the caller's. The reply may be moved from.
  using Done = absl::AnyInvocable<void(absl::StatusOr<Reply>)>;

  struct Options {
    // Starts the RPC on a stub.
    std::function<void(grpc::ClientContext*, Reactor*)> open;
    StreamPeer peer;
    // Calls under way; more are refused with RESOURCE_EXHAUSTED TOO_MANY_CALLS.
    size_t max_pending = 1024;
  };

  explicit CallStream(Options options) : core_(std::make_shared<Core>(std::move(options))) {}
  ~CallStream() { Close(); }
  // Breaks the stream, refuses later calls, and returns when no callback runs any more.
  void Close() { core_->Close(); }

  void Start(Request request, absl::Time deadline, Done done) {
    core_->Start(std::move(request), deadline, std::move(done));
  }

 private:
  using Rpc = CallStreamRpc<Traits>;
  class Core;
  const std::shared_ptr<Core> core_;
};

// Matches replies to calls. Shared with alarms and streams, which may outlive the CallStream a
// little.
template <typename Traits>
class CallStream<Traits>::Core final : public Rpc::Owner,
                                       public std::enable_shared_from_this<Core> {
 public:
  explicit Core(Options options) : options_(std::move(options)) {}

  void Start(Request request, absl::Time deadline, Done done);
  void Close();

 private:
  void Open(grpc::ClientContext* context, Reactor* reactor) override {
    options_.open(context, reactor);
  }
  void OnReply(Reply reply) override;
  void OnBreak(Rpc* rpc) override;
  void OnNoEnd(Rpc* rpc) override;
  void OnEnd(Rpc* rpc, const grpc::Status& status) override;
  // Ends one of the activities that Close waits for.
  void Leave() override {
    absl::MutexLock lock(&mu_);
    --active_;
  }

  struct Pending {
    Done done;
    std::unique_ptr<grpc::Alarm> alarm;
    Rpc* rpc;
  };

  void Expire(uint64_t id);
  bool NothingRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return active_ == 0; }

  const Options options_;
  absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<uint64_t, Pending> pending_ ABSL_GUARDED_BY(mu_);
  Rpc* rpc_ ABSL_GUARDED_BY(mu_) = nullptr;                // the one to send on; null if it broke
  absl::flat_hash_set<Rpc*> broken_ ABSL_GUARDED_BY(mu_);  // and not over
  int active_ ABSL_GUARDED_BY(mu_) = 0;                    // RPCs, and callbacks of deadlines
};

template <typename Traits>
void CallStream<Traits>::Core::Start(Request request, absl::Time deadline, Done done) {
  absl::Status refusal;
  Rpc* writer = nullptr;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) {
      refusal = options_.peer.Unavailable("this end is closing");
    } else if (pending_.size() >= options_.max_pending) {
      refusal =
          Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_CALLS",
                std::to_string(pending_.size()) + " calls are waiting for " + options_.peer.name,
                {options_.peer.fact});
    } else {
      const uint64_t id = next_id_++;
      Traits::SetId(&request, id);
      if (rpc_ == nullptr) {
        rpc_ = new Rpc(this->shared_from_this());
        ++active_;
      }
      auto alarm = std::make_unique<grpc::Alarm>();
      alarm->Set(absl::ToChronoTime(deadline), [core = this->shared_from_this(), id](bool fired) {
        if (fired) core->Expire(id);
      });
      pending_.emplace(id, Pending{std::move(done), std::move(alarm), rpc_});
      if (rpc_->Queue(std::move(request))) writer = rpc_;
    }
  }
  if (writer != nullptr) writer->Write();
  if (!refusal.ok()) done(std::move(refusal));
}

template <typename Traits>
void CallStream<Traits>::Core::OnReply(Reply reply) {
  Pending answered;
  {
    absl::MutexLock lock(&mu_);
    const auto it = pending_.find(Traits::Id(reply));
    if (it == pending_.end()) return;  // it came after the deadline
    answered = std::move(it->second);
    pending_.erase(it);
  }
  answered.done(std::move(reply));
}

template <typename Traits>
void CallStream<Traits>::Core::Expire(uint64_t id) {
  Pending late;
  {
    absl::MutexLock lock(&mu_);
    const auto it = pending_.find(id);
    if (it == pending_.end()) return;
    it->second.rpc->Forget(id);
    late = std::move(it->second);
    pending_.erase(it);
    ++active_;
  }
  late.done(Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE",
                  options_.peer.name + " did not answer before the deadline",
                  {options_.peer.fact}));
  late.done = nullptr;
  Leave();
}

template <typename Traits>
void CallStream<Traits>::Core::OnBreak(Rpc* rpc) {
  absl::MutexLock lock(&mu_);
  rpc_ = nullptr;
  broken_.insert(rpc);
}

template <typename Traits>
void CallStream<Traits>::Core::OnNoEnd(Rpc* rpc) {
  absl::MutexLock lock(&mu_);
  if (broken_.contains(rpc)) rpc->GiveUp();
}

template <typename Traits>
void CallStream<Traits>::Core::OnEnd(Rpc* rpc, const grpc::Status& status) {
  std::vector<Pending> orphans;
  {
    absl::MutexLock lock(&mu_);
    broken_.erase(rpc);
    absl::erase_if(pending_, [&](auto& call) {
      if (call.second.rpc != rpc) return false;
      orphans.push_back(std::move(call.second));
      return true;
    });
  }
  const absl::Status why = options_.peer.WhyEnded(status);
  for (Pending& orphan : orphans) orphan.done(why);
}

template <typename Traits>
void CallStream<Traits>::Core::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
  if (rpc_ != nullptr) rpc_->Cancel();
  for (Rpc* rpc : broken_) rpc->Cancel();
  mu_.Await(absl::Condition(this, &Core::NothingRuns));
}

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_CALL_STREAM_H_
