#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/winnowd/cpu_quota.h"
#include "services/winnowd/log.h"
#include "services/winnowd/numa.h"
#include "services/winnowd/options.h"
#include "services/winnowd/server.h"
#include "services/winnowd/stop_signal.h"
#include "storage/command_line.h"
#include "storage/version.h"

namespace winnow {
namespace {

// Renamed into place, so that whoever waits for the file never reads half of it. Why it cannot be
// written, or "".
std::string WritePortFile(const std::string& path, int port) {
  const std::string unfinished = path + ".tmp";
  errno = 0;
  std::ofstream file(unfinished);
  file << port << "\n";
  file.close();
  return file && std::rename(unfinished.c_str(), path.c_str()) == 0 ? "" : strerror(errno);
}

bool Announce(const std::string& port_file, int port) {
  if (port_file.empty()) return true;
  const std::string error = WritePortFile(port_file, port);
  if (error.empty()) return true;
  Log(LogLevel::kError, "cannot write the port file", {{"path", port_file}, {"message", error}});
  return false;
}

// Stored segments are files that are kept open beside the sockets; the system's default of 1,024 is
// for programs that use select().
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Before any thread is started. Where the system refuses, a node that was asked for is an error,
// and what `auto` would do is left.
bool Place(NumaPlacement* placement) {
  const absl::Status status = Apply(*placement);
  if (status.ok()) return true;
  const bool asked_for = placement->bound_to.has_value();
  Log(asked_for ? LogLevel::kError : LogLevel::kWarn, "cannot place memory",
      {{"message", std::string(status.message())}});
  *placement = {};
  return !asked_for;
}

int Run(Options options) {
  RaiseFileLimit();
  StopSignal::Block();
  InitLogging(options.log_level, options.log_format);
  if (!Place(&options.numa)) return EXIT_FAILURE;
  if (options.threads == 0) options.threads = ThreadsFor(AllowedCpus(), CpuQuota(""));
  StopSignal& stop = StopSignal::Watch();
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options);
  if (!server.ok()) {
    Log(LogLevel::kError, "cannot start", {{"message", std::string(server.status().message())}});
    return EXIT_FAILURE;
  }
  stop.BeginServing();
  if (!Announce(options.port_file, (*server)->port())) return EXIT_FAILURE;
  Log(LogLevel::kInfo, "serving",
      {{"address", (*server)->address()},
       {"role", RoleName(options.role)},
       {"version", kVersion},
       {"threads", absl::StrCat(options.threads)},
       {"numa", Describe(options.numa)}});
  const int signal_number = stop.Wait();
  Log(LogLevel::kInfo, "draining", {{"signal", strsignal(signal_number)}});
  (*server)->Drain(options.drain_timeout);
  server->reset();  // its shards write out what only their logs have
  Log(LogLevel::kInfo, "stopped");
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace winnow

int main(int argc, char** argv) {
  const winnow::ParsedOptions parsed = winnow::ParseOptions(argc, argv);
  return parsed.exit_code ? winnow::FlushOutput("winnowd", *parsed.exit_code)
                          : winnow::Run(parsed.options);
}
