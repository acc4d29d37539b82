// winnowctl bench and demo: services of their own, and what they leave at those of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/cluster/run_ctl.h"
#include "winnow/client.h"

namespace winnow::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(WinnowctlBenchTest, TellsTheShardsOfTheServiceItMeasured) {
  const Service service = Service::Standalone(2);
  const std::string address = "--address=" + service.address();
  const Outcome outcome =
      RunCtl({"bench", "attend", "--entries=5000", "--queries=2", address, "-o", "json"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  const json report = json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_EQ(report["shards"], 2);
  EXPECT_EQ(report["read_floor_us"], nullptr) << "of memory that may be another machine's";
  EXPECT_EQ(report["floor_ratio"], nullptr);
  for (const char* flag : {"--shards=4", "--kernels=portable"}) {
    const Outcome refused = RunCtl({"bench", "attend", flag, address});
    EXPECT_EQ(refused.code, kUsage) << flag;
    EXPECT_THAT(refused.err, AllOf(HasSubstr(std::string(flag, 8)), HasSubstr("--address")));
  }
  EXPECT_EQ(RunCtl({"demo", "--in-process", address}).code, kUsage);
}

TEST(WinnowctlBenchTest, SettingsOfOtherServersDoNotReachItsOwn) {
  const TempDir dir;
  const Outcome outcome = RunCtl({"bench", "attend", "--entries=5000", "--queries=2"},
                                 {{"WINNOW_DATA_DIR", dir.File("data")},
                                  {"WINNOW_ROLE", "shard"},
                                  {"WINNOW_CONFIG", dir.File("absent")}});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(dir.File("data")));
}

// What `probe` returns once that is not empty.
template <typename Probe>
auto WaitFor(const Probe& probe) {
  auto found = probe();
  for (const absl::Time until = absl::Now() + absl::Minutes(2);
       found.empty() && absl::Now() < until; found = probe()) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_FALSE(found.empty());
  return found;
}

TEST(WinnowctlBenchTest, AnInterruptedOneLeavesNoContextBehind) {
  const Service service = Service::Standalone(2);
  client::Client client(service.address());
  const auto contexts = [&client] {
    auto listed = client.ListContexts();
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.ok() ? *listed : std::vector<client::ContextInfo>{};
  };
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"bench", "attend", "--entries=5000", "--queries=1000000"},
           {"demo", "--tokens=5000", "--passages=1000000"}}) {
    std::vector<std::string> args = command;
    args.push_back("--address=" + service.address());
    Process trial("winnowctl", args);
    EXPECT_LE(WaitFor(contexts).front().expires_in, absl::Hours(1)) << "if it is killed";
    trial.Signal(SIGTERM);
    EXPECT_EQ(trial.Wait(), 128 + SIGTERM) << trial.Err();
    EXPECT_THAT(contexts(), IsEmpty());
  }
}

TEST(WinnowctlBenchTest, AServerOfItsOwnThatCannotStartSaysWhy) {
  for (const auto& [flag, value] : {std::pair("--kernels", "abacus"), {"--device", "tpu"}}) {
    const Outcome refused = RunCtl({"bench", "attend", flag, value});
    EXPECT_EQ(refused.code, kUsage);
    EXPECT_THAT(refused.err, HasSubstr(std::string(flag) + " is '" + value + "'; it must be "));
  }
  const Outcome nowhere = RunCtl({"bench", "attend"}, {{"TMPDIR", "/nowhere"}});
  EXPECT_EQ(nowhere.code, kRefused);
  EXPECT_THAT(nowhere.err, AllOf(HasSubstr("cannot write /nowhere/"), HasSubstr("No such file")));
  const TempDir dir;
  const std::string alone = dir.File("winnowctl");
  std::filesystem::copy(std::string(WINNOW_BIN_DIR) + "/winnowctl", alone);
  const std::string err = dir.File("err");
  EXPECT_EQ(WEXITSTATUS(std::system((alone + " demo 2>" + err).c_str())), kRefused);
  std::string said;
  std::getline(std::ifstream(err), said);
  EXPECT_THAT(said, HasSubstr("cannot run " + dir.File("winnowd") + ": No such file"));
}

TEST(WinnowctlBenchTest, LeavesNoFilesBehindEvenIfItIsKilled) {
  const TempDir dir;
  Process demo("winnowctl", {"demo", "--tokens=5000", "--passages=1000000", "--shards=2"},
               {{"TMPDIR", dir.path()}});
  WaitFor([&demo] { return demo.Out(); });
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace winnow::testing
