#include "services/wire/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "services/wire/utf8.h"
#include "storage/error.h"

namespace winnow::wire {
namespace {

// Trailing metadata holds the message twice, once with three bytes for one in the worst case, and
// the facts in base64.
constexpr size_t kMaxMessageBytes = 1024;
constexpr size_t kMaxFactBytes = 256;
constexpr size_t kMaxFactsBytes = 1024;
constexpr std::string_view kCut = "...";

// google.rpc's type, so that existing tools decode the detail.
constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";

// The first that can be read, or an empty one.
v1::ErrorInfo FindErrorInfo(const std::string& error_details) {
  v1::StatusDetails details;
  if (!details.ParseFromString(error_details)) return {};
  for (const google::protobuf::Any& detail : details.details()) {
    v1::ErrorInfo info;
    if (detail.type_url() == kErrorInfoType && info.ParseFromString(detail.value())) return info;
  }
  return {};
}

// At most max_bytes of it, as UTF-8.
std::string Cut(std::string_view text, size_t max_bytes) {
  const bool fits = text.size() <= max_bytes;
  const size_t room = fits ? max_bytes : max_bytes - kCut.size();
  std::string cut;
  while (!text.empty()) {
    const std::string_view next = TakeCharacter(&text);
    if (cut.size() + next.size() > room) break;
    cut.append(next);
  }
  return fits ? cut : cut.append(kCut);
}

// Those facts that there is room for.
v1::ErrorInfo CutErrorInfo(const absl::Status& status) {
  const v1::ErrorInfo whole = ToErrorInfo(status);
  v1::ErrorInfo info;
  info.set_reason(Cut(whole.reason(), kMaxFactBytes));
  info.set_domain(whole.domain());
  size_t facts_bytes = 0;
  for (const auto& [key, value] : ErrorFacts(status)) {
    const std::string cut = Cut(value, kMaxFactBytes);
    if (facts_bytes + key.size() + cut.size() > kMaxFactsBytes) continue;
    facts_bytes += key.size() + cut.size();
    (*info.mutable_metadata())[key] = cut;
  }
  return info;
}

}  // namespace

v1::ErrorInfo ToErrorInfo(const absl::Status& status) {
  v1::ErrorInfo info;
  info.set_reason(ToUtf8(ErrorReason(status)));
  info.set_domain("winnow");
  for (const auto& [key, value] : ErrorFacts(status)) {
    (*info.mutable_metadata())[key] = ToUtf8(value);
  }
  return info;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message =
      Cut({status.message().data(), status.message().size()}, kMaxMessageBytes);
  v1::StatusDetails details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  if (!ErrorReason(status).empty()) {
    google::protobuf::Any* detail = details.add_details();
    detail->set_type_url(kErrorInfoType);
    detail->set_value(CutErrorInfo(status).SerializeAsString());
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message,
                      details.SerializeAsString());
}

absl::Status FromParts(int code, std::string_view message, const v1::ErrorInfo& error) {
  const absl::StatusCode known = absl::Status(static_cast<absl::StatusCode>(code), "").code();
  if (known == absl::StatusCode::kOk) return absl::OkStatus();
  absl::Status status = Error(known, error.reason(), message);
  for (const auto& [key, value] : error.metadata()) {
    status.SetPayload(absl::StrCat("winnow/fact/", key), absl::Cord(value));
  }
  return status;
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return FromParts(status.error_code(), status.error_message(),
                   FindErrorInfo(status.error_details()));
}

}  // namespace winnow::wire
