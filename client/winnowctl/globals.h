#ifndef WINNOW_CLIENT_WINNOWCTL_GLOBALS_H_
#define WINNOW_CLIENT_WINNOWCTL_GLOBALS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "winnow/client.h"

namespace winnow::ctl {

// Exit codes, as --help lists them.
inline constexpr int kOk = 0;
inline constexpr int kRefused = 1;      // the service said no, or a check failed
inline constexpr int kUsage = 2;        // a bad flag or file
inline constexpr int kUnreachable = 3;  // nobody answers at the address

// Flags that every command takes.
struct Globals {
  std::string address = "127.0.0.1:7600";
  bool address_given = false;
  std::string tenant;
  absl::Duration timeout = absl::Seconds(30);
  bool json = false;

  client::Client Connect() const { return ConnectAs(tenant); }
  client::Client ConnectAs(const std::string& other_tenant) const;
};

// The contexts of the given tenants.
absl::StatusOr<std::vector<client::ContextName>> ListContextsOf(
    const Globals& globals, const std::vector<std::string>& tenants);
// The contexts of all tenants.
absl::StatusOr<std::vector<client::ContextName>> ListAllContexts(const Globals& globals);
// Whether a context that was listed has been deleted, or has expired, since.
bool IsGone(const absl::Status& status);

// Prints the error to stderr and returns its exit code.
int Fail(const absl::Status& status);

// Runs fn(context), which returns an exit code, on the context of that id.
template <typename Fn>
int WithContext(const Globals& globals, const std::string& id, Fn fn) {
  client::Client client = globals.Connect();
  absl::StatusOr<client::Context> context = client.OpenContext(id);
  return context.ok() ? fn(*context) : Fail(context.status());
}

// For what the user got wrong: a message and kUsage.
int FailUsage(const std::string& message);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_GLOBALS_H_
