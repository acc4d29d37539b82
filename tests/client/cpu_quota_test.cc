#include "services/winnowd/cpu_quota.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

// A root with the two places that say what a process may use.
class CpuQuotaTest : public ::testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_.File(file)).parent_path());
    root_.Write(file, text + "\n");
  }
  std::optional<double> Quota() { return CpuQuota(root_.path()); }

 private:
  testing::TempDir root_;
};

TEST_F(CpuQuotaTest, IsNoneWhereTheSystemSaysNothing) { EXPECT_EQ(Quota(), std::nullopt); }

TEST_F(CpuQuotaTest, IsThatOfAContainer) {
  Write("proc/self/cgroup", "0::/");
  Write("sys/fs/cgroup/cpu.max", "250000 100000");
  EXPECT_EQ(Quota(), 2.5);
}

TEST_F(CpuQuotaTest, IsNoneWhereNoneIsSet) {
  Write("proc/self/cgroup", "0::/");
  Write("sys/fs/cgroup/cpu.max", "max 100000");
  EXPECT_EQ(Quota(), std::nullopt);
}

TEST_F(CpuQuotaTest, IsTheLeastOfTheGroupsAround) {
  Write("proc/self/cgroup", "0::/pods/pod7/winnowd");
  Write("sys/fs/cgroup/pods/cpu.max", "800000 100000");
  Write("sys/fs/cgroup/pods/pod7/cpu.max", "150000 50000");
  Write("sys/fs/cgroup/pods/pod7/winnowd/cpu.max", "max 100000");
  Write("sys/fs/cgroup/pods/pod8/cpu.max", "10000 100000");
  EXPECT_EQ(Quota(), 3);
}

TEST_F(CpuQuotaTest, ReadsVersionOne) {
  Write("proc/self/cgroup", "12:memory:/pod\n4:cpu,cpuacct:/pod\n0::/pod");
  Write("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", "400000");
  Write("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "100000");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Quota(), 4);
}

TEST_F(CpuQuotaTest, SeesTheMountWhereThePathIsTheHosts) {
  Write("proc/self/cgroup", "4:cpu:/docker/0123abcd");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Quota(), 0.5);
}

TEST_F(CpuQuotaTest, IgnoresWhatItCannotRead) {
  Write("proc/self/cgroup", "nonsense\n0::/../elsewhere\n4:cpu:/pod");
  Write("sys/fs/cgroup/cpu.max", "a lot");
  Write("sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us", "100000");
  Write("sys/fs/cgroup/cpu/pod/cpu.cfs_period_us", "0");
  EXPECT_EQ(Quota(), std::nullopt);
}

TEST(ThreadsFor, AreAsManyAsRunWithoutBeingStopped) {
  EXPECT_EQ(ThreadsFor(16, std::nullopt), 16);
  EXPECT_EQ(ThreadsFor(16, 2.5), 2);
  EXPECT_EQ(ThreadsFor(16, 0.5), 1);
  EXPECT_EQ(ThreadsFor(2, 8.0), 2);
  EXPECT_EQ(ThreadsFor(2, 1e300), 2);
}

}  // namespace
}  // namespace winnow
