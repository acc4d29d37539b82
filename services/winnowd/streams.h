#ifndef WINNOW_SERVICES_WINNOWD_STREAMS_H_
#define WINNOW_SERVICES_WINNOWD_STREAMS_H_

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"

namespace winnow {

// The long-lived streams and the calls of a server, so that a drain begins nothing, lets finish
// what runs and ends streams that wait for their peer. Thread-safe.
class Streams {
 public:
  // UNAVAILABLE DRAINING, of what is not begun any more.
  static absl::Status Refusal();

  // One call that is no stream, for as long as its handler runs.
  class Call {
   public:
    explicit Call(Streams* streams);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // The handler should end with a Refusal.
    bool refused() const { return refused_; }

   private:
    Streams* const streams_;
    bool refused_ = false;
  };

  // One stream, for as long as its handler runs.
  class Stream {
   public:
    Stream(Streams* streams, grpc::ServerContext* context);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // The handler should end with a Refusal: a drain does not wait for the stream. Who is refused
    // may come again at once, and again.
    bool refused() const { return refused_; }

    // Around the work of each message; several may be at work at once. False if the message should
    // be met with a Refusal: nothing has begun then, and EndWork is not called.
    bool BeginWork();
    // False if the handler should end the stream now.
    bool EndWork();

   private:
    Streams* const streams_;
    grpc::ServerContext* const context_;
    bool refused_ = false;
  };

  // Refuses what comes from now on. Ends each stream with UNAVAILABLE once it has been idle for a
  // moment, and returns when nothing runs and, for a moment, nothing came, or at the deadline.
  // Those who keep coming hold it up for a second at most.
  void Drain(absl::Time deadline);

 private:
  struct Activity {
    int messages_at_work = 0;
    absl::Time idle_since;
  };

  // Whether what comes now is refused.
  bool Refuses() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AwaitIdle(absl::Time deadline);
  void AwaitQuiet(absl::Time deadline);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return activity_.empty() && calls_ == 0; }

  absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time last_refusal_ ABSL_GUARDED_BY(mu_);  // or the beginning of the drain
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<grpc::ServerContext*, Activity> activity_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_STREAMS_H_
