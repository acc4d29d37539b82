#include "services/winnowd/call.h"

#include <algorithm>
#include <string>

#include "absl/time/clock.h"
#include "services/winnowd/log.h"
#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow {
namespace {

// The caller's own mistakes are the caller's to see; these are ours.
bool ConcernsOperator(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::Time CallDeadline(const grpc::ServerContext& context, absl::Duration max_deadline) {
  return std::min(absl::FromChrono(context.deadline()), absl::Now() + max_deadline);
}

void LogFailure(std::string_view method, const absl::Status& status) {
  if (status.ok()) return;
  Log(ConcernsOperator(status.code()) ? LogLevel::kWarn : LogLevel::kDebug, "call failed",
      {{"method", std::string(method)},
       {"code", std::string(absl::StatusCodeToString(status.code()))},
       {"reason", ErrorReason(status)},
       {"message", std::string(status.message())}});
}

grpc::Status Finish(std::string_view method, const absl::Status& status) {
  LogFailure(method, status);
  return wire::ToGrpc(status);
}

}  // namespace winnow
