#include "services/winnowd/cpu_quota.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace winnow {
namespace {

using std::filesystem::path;

// The words of a file; none if it cannot be read.
std::vector<std::string> WordsOf(const path& file) {
  std::ifstream in(file);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// Nothing if they are no numbers: "max" and "-1" say that there is no limit.
std::optional<double> Ratio(const std::string& quota_us, const std::string& period_us) {
  double quota = 0;
  double period = 0;
  if (!absl::SimpleAtod(quota_us, &quota) || !absl::SimpleAtod(period_us, &period) || quota <= 0 ||
      period <= 0) {
    return std::nullopt;
  }
  return quota / period;
}

// cpu.max holds both: "250000 100000".
std::optional<double> QuotaOfVersion2(const path& group) {
  const std::vector<std::string> words = WordsOf(group / "cpu.max");
  return words.size() == 2 ? Ratio(words[0], words[1]) : std::nullopt;
}

std::optional<double> QuotaOfVersion1(const path& group) {
  const std::vector<std::string> quota = WordsOf(group / "cpu.cfs_quota_us");
  const std::vector<std::string> period = WordsOf(group / "cpu.cfs_period_us");
  return quota.size() == 1 && period.size() == 1 ? Ratio(quota[0], period[0]) : std::nullopt;
}

// Of `group`, a path below `mount`, and of all groups around it. In a container the path may be the
// host's, of which only the last of them, `mount` itself, is to be seen.
template <typename QuotaOf>
std::optional<double> LeastQuota(const path& mount, const path& group, QuotaOf quota_of) {
  std::optional<double> least;
  for (path below = group.relative_path();; below = below.parent_path()) {
    if (const std::optional<double> quota = quota_of(mount / below)) {
      least = std::min(*quota, least.value_or(*quota));
    }
    if (below.empty()) return least;
  }
}

}  // namespace

std::optional<double> CpuQuota(const std::string& root) {
  const path mounts = path(root + "/sys/fs/cgroup");
  std::ifstream groups(root + "/proc/self/cgroup");
  std::optional<double> least;
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/path" or "0::/path"
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    std::optional<double> quota;
    if (parts[1].empty()) {
      quota = LeastQuota(mounts, parts[2], QuotaOfVersion2);
    } else if (absl::c_linear_search(absl::StrSplit(parts[1], ','), "cpu")) {
      quota = LeastQuota(mounts / parts[1], parts[2], QuotaOfVersion1);
    }
    if (quota) least = std::min(*quota, least.value_or(*quota));
  }
  return least;
}

int ThreadsFor(int cpus, std::optional<double> quota) {
  return quota && *quota < cpus ? std::max(1, static_cast<int>(*quota)) : cpus;
}

}  // namespace winnow
