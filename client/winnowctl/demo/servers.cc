#include "client/winnowctl/demo/servers.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace winnow::ctl {

namespace {

// One generation at a time; what shards keep of steps gone by would be memory of theirs.
constexpr char kFewSelections[] = "--max-selections=16";

}  // namespace

Servers::~Servers() {
  while (!servers_.empty()) servers_.pop_back();
}

absl::Status Servers::Add(std::vector<std::string> flags) {
  absl::StatusOr<std::unique_ptr<ChildServer>> server = ChildServer::Start(std::move(flags));
  if (!server.ok()) return server.status();
  servers_.push_back(*std::move(server));
  return absl::OkStatus();
}

absl::StatusOr<Servers> Servers::StartProcesses(uint32_t shards, const std::string& device) {
  Servers started;
  std::vector<std::string> coordinator = {"--role=coordinator"};
  for (uint32_t i = 0; i < shards; ++i) {
    absl::Status added = started.Add({"--role=shard", kFewSelections, "--device=" + device});
    if (!added.ok()) return added;
    coordinator.push_back("--shard-address=" + started.servers_.back()->address());
  }
  if (absl::Status added = started.Add(coordinator); !added.ok()) return added;
  return started;
}

absl::StatusOr<Servers> Servers::StartStandalone(uint32_t shards, const std::string& device) {
  Servers started;
  absl::Status added =
      started.Add({absl::StrCat("--shards=", shards), kFewSelections, "--device=" + device});
  if (!added.ok()) return added;
  return started;
}

uint64_t Servers::peak_resident_bytes() const {
  uint64_t bytes = 0;
  for (const auto& server : servers_) bytes += server->peak_resident_bytes();
  return bytes;
}

}  // namespace winnow::ctl
