#include "tests/cluster/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace winnow::testing {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(5);
constexpr absl::Duration kStartTimeout = absl::Seconds(60);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `env` and what else this process has, but for the settings that whoever runs the tests made for
// programs of their own.
std::vector<std::string> Environment(const std::map<std::string, std::string>& env) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const bool replaced = env.contains(std::string(text.substr(0, text.find('='))));
    if (!replaced && !text.starts_with("WINNOW_")) all.emplace_back(text);
  }
  for (const auto& [name, value] : env) all.push_back(absl::StrCat(name, "=", value));
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: only what is safe there.
[[noreturn]] void Exec(pid_t parent, const std::string& in, const std::string& out,
                       const std::string& err, char* const* argv, char* const* env) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  dup2(open(in.c_str(), O_RDONLY), STDIN_FILENO);
  dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
  dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
  execve(argv[0], argv, env);
  _exit(127);
}

}  // namespace

Process::Process(const std::string& program, std::vector<std::string> args,
                 std::map<std::string, std::string> env, const std::string& input) {
  args.insert(args.begin(), absl::StrCat(WINNOW_BIN_DIR, "/", program));
  const std::vector<char*> argv = Pointers(&args);
  std::vector<std::string> environment = Environment(env);
  const std::vector<char*> variables = Pointers(&environment);
  const std::string in = dir_.Write("in", input);
  const std::string out = dir_.File("out");
  const std::string err = dir_.File("err");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) Exec(parent, in, out, err, argv.data(), variables.data());
}

Process::~Process() {
  if (exit_code_) return;
  Signal(SIGKILL);
  Wait();
}

void Process::Signal(int signal) const { kill(pid_, signal); }

void Process::Stop() const {
  Signal(SIGSTOP);
  // Its threads run on until the kernel has come to each of them.
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
}

std::optional<int> Process::Wait(absl::Duration timeout) {
  const absl::Time until = absl::Now() + timeout;
  while (!exit_code_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else if (absl::Now() >= until) {
      break;
    } else {
      absl::SleepFor(kPoll);
    }
  }
  return exit_code_;
}

std::string Process::Out() const { return ReadFile(dir_.File("out")); }
std::string Process::Err() const { return ReadFile(dir_.File("err")); }
std::string Process::NumaMaps() const {
  return ReadFile("/proc/" + std::to_string(pid_) + "/numa_maps");
}

Server::Server(std::vector<std::string> flags, const std::string& listen) {
  flags.push_back("--listen=" + listen);
  flags.push_back("--port-file=" + dir_.File("port"));
  process_ = std::make_unique<Process>("winnowd", std::move(flags));
  const absl::Time until = absl::Now() + kStartTimeout;
  int port = 0;
  while (!(std::ifstream(dir_.File("port")) >> port) && process_->running() &&
         absl::Now() < until) {
    absl::SleepFor(kPoll);
  }
  EXPECT_NE(port, 0) << process_->Err();
  address_ = absl::StrCat("127.0.0.1:", port);
}

Server::~Server() {
  const std::optional<int> code = process_->Wait(absl::ZeroDuration());
  const bool as_told = !code || *code == 0 || *code == 128 + SIGKILL;
  EXPECT_TRUE(as_told) << "winnowd ended with " << code.value_or(0) << ":\n" << process_->Err();
}

Service Service::Processes(int shards, const std::vector<std::string>& coordinator_flags) {
  Service service;
  std::vector<std::string> flags = coordinator_flags;
  flags.push_back("--role=coordinator");
  for (int i = 0; i < shards; ++i) {
    service.shards_.push_back(
        std::make_unique<Server>(std::vector<std::string>{"--role=shard", "--threads=1"}));
    flags.push_back("--shard-address=" + service.shards_.back()->address());
  }
  service.coordinator_ = std::make_unique<Server>(flags);
  return service;
}

Service Service::Standalone(int shards, std::vector<std::string> flags) {
  Service service;
  flags.push_back(absl::StrCat("--shards=", shards));
  service.coordinator_ = std::make_unique<Server>(std::move(flags));
  return service;
}

std::vector<std::string> Service::shard_addresses() const {
  std::vector<std::string> addresses;
  for (const auto& shard : shards_) addresses.push_back(shard->address());
  return addresses;
}

void Service::RestartShard(int i) {
  std::unique_ptr<Server>& server = shards_[static_cast<size_t>(i)];
  const std::string address = server->address();
  server.reset();
  server =
      std::make_unique<Server>(std::vector<std::string>{"--role=shard", "--threads=1"}, address);
}

}  // namespace winnow::testing
