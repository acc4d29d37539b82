#ifndef WINNOW_TESTS_CLUSTER_PROCESS_H_
#define WINNOW_TESTS_CLUSTER_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/temp_dir.h"

namespace winnow::testing {

// One of the project's programs, run as a user runs it. Killed when this goes.
class Process {
 public:
  // program: "winnowd" or "winnowctl", from this build.
  // It reads `input`. Of this process's environment it has no WINNOW_* variable but those of `env`.
  Process(const std::string& program, std::vector<std::string> args,
          std::map<std::string, std::string> env = {}, const std::string& input = "");
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int signal) const;
  // SIGSTOP, and returns once nothing of the process runs any more.
  void Stop() const;
  // The exit code, 128 + n after signal n; none if it still runs after `timeout`.
  std::optional<int> Wait(absl::Duration timeout = absl::Seconds(60));
  // /proc/PID/numa_maps: the policy of each of its mappings.
  std::string NumaMaps() const;
  bool running() { return !Wait(absl::ZeroDuration()).has_value(); }

  // What it wrote so far.
  std::string Out() const;
  std::string Err() const;

 private:
  TempDir dir_;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

// A winnowd that serves.
class Server {
 public:
  // Fails the test if it does not serve within a minute. `listen` is where, by default at any port.
  explicit Server(std::vector<std::string> flags, const std::string& listen = "127.0.0.1:0");
  // Fails the test, with what the server wrote, if it died of anything but an order or SIGKILL.
  ~Server();

  const std::string& address() const { return address_; }
  Process& process() { return *process_; }

 private:
  TempDir dir_;
  std::unique_ptr<Process> process_;
  std::string address_;
};

// A service of several processes, or of one.
class Service {
 public:
  static Service Processes(int shards, const std::vector<std::string>& coordinator_flags = {});
  static Service Standalone(int shards, std::vector<std::string> flags = {});

  const std::string& address() const { return coordinator_->address(); }
  Server& coordinator() { return *coordinator_; }
  Server& shard(int i) { return *shards_[static_cast<size_t>(i)]; }
  std::vector<std::string> shard_addresses() const;
  // Starts shard i once more at the same address, its memory lost.
  void RestartShard(int i);

 private:
  std::vector<std::unique_ptr<Server>> shards_;
  std::unique_ptr<Server> coordinator_;
};

}  // namespace winnow::testing

#endif  // WINNOW_TESTS_CLUSTER_PROCESS_H_
