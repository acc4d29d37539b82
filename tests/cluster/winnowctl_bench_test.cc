// winnowctl bench and demo: services of their own, and what they leave at those of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/cluster/run_ctl.h"

namespace winnow::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(WinnowctlBenchTest, TellsTheShardsOfTheServiceItMeasured) {
  const Service service = Service::Standalone(2);
  const std::string address = "--address=" + service.address();
  const Outcome outcome =
      RunCtl({"bench", "attend", "--entries=5000", "--queries=2", address, "-o", "json"});
  ASSERT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out, nullptr, /*allow_exceptions=*/false)["shards"], 2);
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

}  // namespace
}  // namespace winnow::testing
