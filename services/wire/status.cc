#include "services/wire/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow::wire {
namespace {

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

}  // namespace

v1::ErrorInfo ToErrorInfo(const absl::Status& status) {
  v1::ErrorInfo info;
  info.set_reason(ErrorReason(status));
  info.set_domain("winnow");
  for (const auto& [key, value] : ErrorFacts(status)) (*info.mutable_metadata())[key] = value;
  return info;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  v1::StatusDetails details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(status.message()));
  if (!ErrorReason(status).empty()) {
    google::protobuf::Any* detail = details.add_details();
    detail->set_type_url(kErrorInfoType);
    detail->set_value(ToErrorInfo(status).SerializeAsString());
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
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
