#include "services/winnowd/call.h"

#include <algorithm>
#include <string>

#include "absl/time/clock.h"
#include "services/winnowd/log.h"
#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow {
namespace {

// gRPC rounds the time that it tells a server up by 1 %, of more than ten seconds by a tenth of
// one.
constexpr absl::Duration kMaxAnswerMargin = absl::Milliseconds(250);
constexpr int kAnswerMarginPart = 20;

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

absl::Duration AnswerWithin(absl::Duration timeout) {
  return timeout - std::min(timeout / kAnswerMarginPart, kMaxAnswerMargin);
}

absl::Time CallDeadline(const grpc::ServerContext& context, absl::Duration max_deadline) {
  const absl::Time now = absl::Now();
  return now + std::min(AnswerWithin(absl::FromChrono(context.deadline()) - now), max_deadline);
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
