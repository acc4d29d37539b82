#ifndef WINNOW_SERVICES_WINNOWD_STREAMS_H_
#define WINNOW_SERVICES_WINNOWD_STREAMS_H_

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"

namespace winnow {

// The long-lived streams of a server, so that a drain ends those that wait for their peer and lets
// the others finish what they are at. Thread-safe.
class Streams {
 public:
  // One stream, for as long as its handler runs.
  class Stream {
   public:
    Stream(Streams* streams, grpc::ServerContext* context);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // Around the work of each message; several may be at work at once.
    void BeginWork();
    // False if the handler should end the stream now.
    bool EndWork();

   private:
    Streams* const streams_;
    grpc::ServerContext* const context_;
  };

  // Cancels each stream once it has been idle for a moment, and returns when none is left or at the
  // deadline.
  void Drain(absl::Time deadline);

 private:
  struct Activity {
    int messages_at_work = 0;
    absl::Time idle_since;
  };

  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return activity_.empty(); }

  absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<grpc::ServerContext*, Activity> activity_ ABSL_GUARDED_BY(mu_);
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_STREAMS_H_
