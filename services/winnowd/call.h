#ifndef WINNOW_SERVICES_WINNOWD_CALL_H_
#define WINNOW_SERVICES_WINNOWD_CALL_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace winnow {

// Of the time that a caller waits, what the service may take, so that its answer is there before
// the caller stops waiting: which shard did not answer is worth more than a bare DEADLINE_EXCEEDED.
absl::Duration AnswerWithin(absl::Duration timeout);

// When a call must be answered: shortly before its own deadline, but no later than max_deadline
// from now.
absl::Time CallDeadline(const grpc::ServerContext& context, absl::Duration max_deadline);

// The status as it is sent; failures that an operator should see are logged.
grpc::Status Finish(std::string_view method, const absl::Status& status);

// Logs as Finish does, for statuses that travel inside a reply.
void LogFailure(std::string_view method, const absl::Status& status);

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_CALL_H_
