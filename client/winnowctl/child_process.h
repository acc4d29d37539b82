#ifndef WINNOW_CLIENT_WINNOWCTL_CHILD_PROCESS_H_
#define WINNOW_CLIENT_WINNOWCTL_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace winnow::ctl {

// A winnowd of ours, on a port of its own choice. Ended with SIGTERM and reaped when this goes, and
// by the kernel if we are killed.
class ChildServer {
 public:
  // Starts the winnowd beside this program with the given flags, and no WINNOW_* variable, and
  // waits until it serves. UNAVAILABLE if it does not within ten seconds.
  static absl::StatusOr<std::unique_ptr<ChildServer>> Start(std::vector<std::string> flags);
  ~ChildServer();
  ChildServer(const ChildServer&) = delete;
  ChildServer& operator=(const ChildServer&) = delete;

  const std::string& address() const { return address_; }
  // Resident memory, now and at its highest; 0 if the system does not tell.
  uint64_t resident_bytes() const;
  uint64_t peak_resident_bytes() const;

 private:
  ChildServer(pid_t pid, std::string port_file) : pid_(pid), port_file_(std::move(port_file)) {}
  bool HasExited() const;

  const pid_t pid_;
  const std::string port_file_;
  std::string address_;
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_CHILD_PROCESS_H_
