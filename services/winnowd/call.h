#ifndef WINNOW_SERVICES_WINNOWD_CALL_H_
#define WINNOW_SERVICES_WINNOWD_CALL_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "services/winnowd/log.h"
#include "services/winnowd/streams.h"

namespace winnow {

// Of the time that a caller waits, what the service may take, so that its answer is there before
// the caller stops waiting: which shard did not answer is worth more than a bare DEADLINE_EXCEEDED.
absl::Duration AnswerWithin(absl::Duration timeout);

// When a call must be answered: shortly before its own deadline, but no later than max_deadline
// from now.
absl::Time CallDeadline(const grpc::ServerContext& context, absl::Duration max_deadline);

// What a call was about, for the log; empty where it names none.
struct CallSubject {
  std::string tenant;
  std::string context;
};

template <typename Request>
CallSubject SubjectOf(const Request& request) {
  CallSubject subject;
  if constexpr (requires { request.tenant(); }) {
    subject.tenant = request.tenant().empty() ? "default" : request.tenant();
  }
  if constexpr (requires { request.context_id(); }) subject.context = request.context_id();
  if constexpr (requires { request.parent_context_id(); }) {
    subject.context = request.parent_context_id();
  }
  return subject;
}

// A warning of what an operator should see; what is the caller's alone is for debugging.
LogLevel LevelOf(const absl::Status& status);

// Logs a call that failed. Of warnings that say the same, one in ten seconds, with how many there
// were since the one before.
void LogFailure(std::string_view method, const absl::Status& status, const CallSubject& subject,
                LogLevel level);

// The status as it is sent; a failure is logged.
grpc::Status Finish(std::string_view method, const absl::Status& status,
                    const CallSubject& subject);

// How a service answers calls that are no streams. Thread-safe.
class Calls {
 public:
  // streams is borrowed.
  Calls(Streams* streams, absl::Duration max_deadline)
      : streams_(*streams), max_deadline_(max_deadline) {}

  absl::Time Deadline(const grpc::ServerContext& context) const {
    return CallDeadline(context, max_deadline_);
  }

  // Ends the call with what fn(deadline) returns.
  template <typename Request, typename Fn>
  grpc::Status Serve(std::string_view method, const grpc::ServerContext& context,
                     const Request& request, Fn fn) const {
    const Streams::Call call(&streams_);
    const absl::Status status = call.refused() ? Streams::Refusal() : fn(Deadline(context));
    return status.ok() ? grpc::Status::OK : Finish(method, status, SubjectOf(request));
  }

 private:
  Streams& streams_;
  const absl::Duration max_deadline_;
};

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_CALL_H_
