#include "client/winnowctl/globals.h"

#include <iostream>

#include "storage/error.h"

namespace winnow::ctl {

client::Client Globals::ConnectAs(const std::string& other_tenant) const {
  return client::Client(address, {.tenant = other_tenant, .timeout = timeout});
}

int Fail(const absl::Status& status) {
  std::cerr << "winnowctl: " << status.message();
  const std::string reason = ErrorReason(status);
  std::cerr << " (" << absl::StatusCodeToString(status.code())
            << (reason.empty() ? "" : " " + reason) << ")\n";
  return absl::IsUnavailable(status) && reason.empty() ? kUnreachable : kRefused;
}

int FailUsage(const std::string& message) {
  std::cerr << "winnowctl: " << message << "\nRun with --help for more information.\n";
  return kUsage;
}

}  // namespace winnow::ctl
