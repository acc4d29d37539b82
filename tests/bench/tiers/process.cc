#include "tests/bench/tiers/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace winnow::bench {
namespace {

// The number after `name` in a file of lines "name number"; 0 if there is none.
uint64_t Field(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    uint64_t value = 0;
    if (word == name && file >> value) return value;
  }
  return 0;
}

constexpr uint64_t kKiB = 1024;

}  // namespace

uint64_t ResidentBytes() { return kKiB * Field("/proc/self/status", "VmRSS:"); }

uint64_t PeakResidentBytes() { return kKiB * Field("/proc/self/status", "VmHWM:"); }

void ResetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }

DiskTraffic ReadDiskTraffic() {
  return {.read_bytes = Field("/proc/self/io", "read_bytes:"),
          .written_bytes = Field("/proc/self/io", "write_bytes:")};
}

ProcessorTime ReadProcessorTime() {
  // user, nice, system, idle, iowait, irq, softirq, steal
  constexpr int kFields = 8;
  constexpr int kIdle = 3;
  constexpr int kIoWait = 4;
  std::ifstream file("/proc/stat");
  std::string cpu;
  file >> cpu;
  ProcessorTime time;
  for (int field = 0; field < kFields; ++field) {
    double ticks = 0;
    file >> ticks;
    if (field != kIdle && field != kIoWait) time.busy_seconds += ticks;
  }
  time.busy_seconds /= static_cast<double>(sysconf(_SC_CLK_TCK));
  rusage own = {};
  getrusage(RUSAGE_SELF, &own);
  for (const timeval& part : {own.ru_utime, own.ru_stime}) {
    time.own_seconds += static_cast<double>(part.tv_sec) + 1e-6 * static_cast<double>(part.tv_usec);
  }
  return time;
}

}  // namespace winnow::bench
