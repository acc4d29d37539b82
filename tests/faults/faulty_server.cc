#include "tests/faults/faulty_server.h"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace winnow::testing {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(2);
constexpr absl::Duration kStartTimeout = absl::Seconds(60);

std::vector<std::string> WithPaths(std::vector<std::string> flags, const std::string& data_dir,
                                   const std::string& port_file) {
  flags.push_back("--data-dir=" + data_dir);
  flags.push_back("--listen=127.0.0.1:0");
  flags.push_back("--port-file=" + port_file);
  return flags;
}

}  // namespace

FaultyServer::FaultyServer(const std::string& data_dir, std::vector<std::string> flags,
                           const std::map<std::string, std::string>& env)
    : process_("winnowd_faulty", WithPaths(std::move(flags), data_dir, dir_.File("port")), env) {}

bool FaultyServer::Serves() {
  const absl::Time until = absl::Now() + kStartTimeout;
  int port = 0;
  while (!(std::ifstream(dir_.File("port")) >> port)) {
    if (!process_.running() || absl::Now() > until) return false;
    absl::SleepFor(kPoll);
  }
  address_ = absl::StrCat("127.0.0.1:", port);
  return true;
}

pid_t FaultyServer::pid() const {
  const std::string ours = dir_.File("port");
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string command(std::istreambuf_iterator<char>(file), {});
    int pid = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &pid) &&
        absl::StrContains(command, ours)) {
      return pid;
    }
  }
  return -1;
}

void FaultyServer::Kill() {
  process_.Signal(SIGKILL);
  process_.Wait();
}

}  // namespace winnow::testing
