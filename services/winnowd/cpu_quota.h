#ifndef WINNOW_SERVICES_WINNOWD_CPU_QUOTA_H_
#define WINNOW_SERVICES_WINNOWD_CPU_QUOTA_H_

#include <optional>
#include <string>

namespace winnow {

// CPU time per time that control groups leave to this process: 2.5 where it may use 250 ms every
// 100 ms, the least of its group's and of the groups around that; nothing where none sets a limit.
// Reads cpu.max (version 2) or cpu.cfs_quota_us (version 1) below `root`/sys/fs/cgroup, for the
// groups that `root`/proc/self/cgroup names. `root` is "" but in tests.
std::optional<double> CpuQuota(const std::string& root);

// Threads that keep `cpus` CPUs busy and that the system never stops for want of quota: a scan
// waits for the last of its threads, so that one stopped until the next period stops them all.
int ThreadsFor(int cpus, std::optional<double> quota);

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_CPU_QUOTA_H_
