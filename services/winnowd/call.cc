#include "services/winnowd/call.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/winnowd/repeat_limit.h"
#include "services/wire/status.h"
#include "storage/error.h"

namespace winnow {
namespace {

// gRPC rounds the time that it tells a server up by 1 %, of more than ten seconds by a tenth of
// one.
constexpr absl::Duration kMaxAnswerMargin = absl::Milliseconds(250);
constexpr int kAnswerMarginPart = 20;

constexpr absl::Duration kWarnAgainAfter = absl::Seconds(10);
constexpr size_t kMaxWarnings = 1000;

// The caller's own mistakes are the caller's to see; these are ours.
bool ConcernsOperator(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      // Who ends a process knows of it.
      return ErrorReason(status) != "DRAINING";
    case absl::StatusCode::kFailedPrecondition:
      return ErrorReason(status) == "WRONG_SHARD";
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

RepeatLimit& WarningLimit() {
  static auto* const limit = new RepeatLimit(kWarnAgainAfter, kMaxWarnings);
  return *limit;
}

}  // namespace

absl::Duration AnswerWithin(absl::Duration timeout) {
  return timeout - std::min(timeout / kAnswerMarginPart, kMaxAnswerMargin);
}

absl::Time CallDeadline(const grpc::ServerContext& context, absl::Duration max_deadline) {
  const absl::Time now = absl::Now();
  return now + std::min(AnswerWithin(absl::FromChrono(context.deadline()) - now), max_deadline);
}

LogLevel LevelOf(const absl::Status& status) {
  return ConcernsOperator(status) ? LogLevel::kWarn : LogLevel::kDebug;
}

void LogFailure(std::string_view method, const absl::Status& status, const CallSubject& subject,
                LogLevel level) {
  if (status.ok()) return;
  LogFields fields = {{"method", std::string(method)},
                      {"code", absl::StatusCodeToString(status.code())},
                      {"reason", ErrorReason(status)},
                      {"message", std::string(status.message())}};
  if (!subject.tenant.empty()) fields.emplace_back("tenant", subject.tenant);
  if (!subject.context.empty()) fields.emplace_back("context", subject.context);
  if (level >= LogLevel::kWarn) {
    const std::string key = absl::StrCat(std::string(method), " ", status.message());
    const std::optional<uint64_t> held_back = WarningLimit().Pass(key, absl::Now());
    if (!held_back) return;
    if (*held_back > 0) fields.emplace_back("repeated", absl::StrCat(*held_back));
  }
  Log(level, "call failed", fields);
}

grpc::Status Finish(std::string_view method, const absl::Status& status,
                    const CallSubject& subject) {
  LogFailure(method, status, subject, LevelOf(status));
  return wire::ToGrpc(status);
}

}  // namespace winnow
