#ifndef WINNOW_CLIENT_WINNOWCTL_GLOBALS_H_
#define WINNOW_CLIENT_WINNOWCTL_GLOBALS_H_

#include <string>

#include "absl/status/status.h"
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

  client::Client Connect() const;
};

// Prints the error to stderr and returns its exit code.
int Fail(const absl::Status& status);

// For what the user got wrong: a message and kUsage.
int FailUsage(const std::string& message);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_GLOBALS_H_
