#include "client/winnowctl/child_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/error.h"

namespace winnow::ctl {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(10);
constexpr absl::Duration kStopTimeout = absl::Seconds(15);
constexpr absl::Duration kPoll = absl::Milliseconds(10);

std::string SiblingServer() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "winnowd" : (self.parent_path() / "winnowd").string();
}

std::string TemporaryDirectory() {
  const char* named = std::getenv("TMPDIR");
  return named == nullptr || *named == '\0' ? "/tmp" : named;
}

// A value in kB of /proc/<pid>/status.
uint64_t StatusField(pid_t pid, const std::string& field) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) != 0) continue;
    uint64_t kilobytes = 0;
    std::istringstream(line.substr(field.size() + 1)) >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

// Settings that were meant for another winnowd must not make ours another one's.
std::vector<char*> EnvironmentWithoutSettings() {
  std::vector<char*> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "WINNOW_", 7) != 0) kept.push_back(*variable);
  }
  kept.push_back(nullptr);
  return kept;
}

absl::Status NotStarted(const std::string& why) {
  return Error(absl::StatusCode::kUnavailable, "SERVER_NOT_STARTED",
               absl::StrCat("winnowd did not start: ", why));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildServer>> ChildServer::Start(std::vector<std::string> flags) {
  const std::string program = SiblingServer();
  if (access(program.c_str(), X_OK) != 0) {
    return NotStarted(absl::StrCat("cannot run ", program, ": ", strerror(errno)));
  }
  std::string port_file = TemporaryDirectory() + "/winnowd-port-XXXXXX";
  const int fd = mkstemp(port_file.data());
  if (fd < 0) return NotStarted(absl::StrCat("cannot write ", port_file, ": ", strerror(errno)));
  close(fd);
  std::remove(port_file.c_str());
  flags.insert(flags.begin(), program);
  for (const char* flag : {"--listen=127.0.0.1:0", "--log-level=warn"}) flags.emplace_back(flag);
  flags.push_back(absl::StrCat("--port-file=", port_file));
  std::vector<char*> argv;
  for (std::string& flag : flags) argv.push_back(flag.data());
  argv.push_back(nullptr);
  const std::vector<char*> environment = EnvironmentWithoutSettings();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return NotStarted(strerror(errno));
  if (pid == 0) {
    // A Ctrl-C is for us alone: we stop the server in order.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    execve(program.c_str(), argv.data(), environment.data());
    _exit(127);
  }
  std::unique_ptr<ChildServer> child(new ChildServer(pid, port_file));
  for (const absl::Time until = absl::Now() + kStartTimeout; absl::Now() < until;
       absl::SleepFor(kPoll)) {
    int port = 0;
    if (std::ifstream(port_file) >> port) {
      // At once: whoever is killed later removes nothing.
      std::remove(port_file.c_str());
      child->address_ = absl::StrCat("127.0.0.1:", port);
      return child;
    }
    if (child->HasExited()) return NotStarted(program + " ended at once");
  }
  return NotStarted("it does not serve after 10 seconds");
}

bool ChildServer::HasExited() const {
  siginfo_t info = {};
  return waitid(P_PID, pid_, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid_;
}

ChildServer::~ChildServer() {
  kill(pid_, SIGTERM);
  for (const absl::Time until = absl::Now() + kStopTimeout; !HasExited() && absl::Now() < until;) {
    absl::SleepFor(kPoll);
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  std::remove(port_file_.c_str());
}

uint64_t ChildServer::resident_bytes() const { return StatusField(pid_, "VmRSS"); }
uint64_t ChildServer::peak_resident_bytes() const { return StatusField(pid_, "VmHWM"); }

}  // namespace winnow::ctl
