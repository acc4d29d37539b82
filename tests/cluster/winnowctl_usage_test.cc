// What winnowctl says to those who hold it wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/cluster/run_ctl.h"

namespace winnow::testing {
namespace {

using ::testing::HasSubstr;

TEST(WinnowctlUsageTest, AFlagWithoutItsValueDoesNotTakeTheNextArgumentForIt) {
  const Outcome outcome = RunCtl({"--tenant=", "context", "list"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("--tenant has no value behind its '='"));
}

TEST(WinnowctlUsageTest, DeletesNothingWithoutAYes) {
  const Service service = Service::Standalone(1);
  const std::string address = "--address=" + service.address();
  const std::vector<std::string> remove = {"context", "delete", "book", address};
  ASSERT_EQ(RunCtl({"context", "create", "--profile=glm-5", "--id=book", address}).code, kOk);
  for (const char* input : {"", "n\n", "y"}) {
    const Outcome outcome = RunCtl(remove, {}, input);
    if (input == std::string("y")) {
      EXPECT_EQ(outcome.code, kOk) << outcome.err;
    } else {
      EXPECT_EQ(outcome.code, kUsage) << input;
      EXPECT_THAT(outcome.err, HasSubstr("--yes"));
    }
  }
  EXPECT_EQ(RunCtl({"context", "describe", "book", address}).code, kRefused);
}

}  // namespace
}  // namespace winnow::testing
