#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_SERVERS_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_SERVERS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/winnowctl/child_process.h"

namespace winnow::ctl {

// A whole service of ours, ended when this goes.
class Servers {
 public:
  // Every shard a process, and a coordinator. `device` is winnowd's flag.
  static absl::StatusOr<Servers> StartProcesses(uint32_t shards, const std::string& device);
  // All in one process.
  static absl::StatusOr<Servers> StartStandalone(uint32_t shards, const std::string& device);

  // The coordinator first, so that it finds its shards until it has ended.
  ~Servers();
  Servers(Servers&&) = default;
  Servers& operator=(Servers&&) = default;

  const std::string& address() const { return servers_.back()->address(); }
  size_t processes() const { return servers_.size(); }
  // Peaks of all processes, added up.
  uint64_t peak_resident_bytes() const;

 private:
  Servers() = default;
  absl::Status Add(std::vector<std::string> flags);

  std::vector<std::unique_ptr<ChildServer>> servers_;  // the coordinator last
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_SERVERS_H_
