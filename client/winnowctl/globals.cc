#include "client/winnowctl/globals.h"

#include <iostream>

#include "storage/error.h"

namespace winnow::ctl {

client::Client Globals::ConnectAs(const std::string& other_tenant) const {
  return client::Client(address, {.tenant = other_tenant, .timeout = timeout});
}

absl::StatusOr<std::vector<client::ContextName>> ListContextsOf(
    const Globals& globals, const std::vector<std::string>& tenants) {
  std::vector<client::ContextName> names;
  for (const std::string& tenant : tenants) {
    const auto contexts = globals.ConnectAs(tenant).ListContexts();
    if (!contexts.ok()) return contexts.status();
    for (const client::ContextInfo& info : *contexts) names.push_back({tenant, info.context_id});
  }
  return names;
}

absl::StatusOr<std::vector<client::ContextName>> ListAllContexts(const Globals& globals) {
  client::Client client = globals.Connect();
  const absl::StatusOr<std::vector<std::string>> tenants = client.ListTenants();
  if (!tenants.ok()) return tenants.status();
  return ListContextsOf(globals, *tenants);
}

bool IsGone(const absl::Status& status) {
  return absl::IsNotFound(status) && ErrorReason(status) == "UNKNOWN_CONTEXT";
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
