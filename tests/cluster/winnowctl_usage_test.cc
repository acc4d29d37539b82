// What winnowctl says to those who hold it wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cluster/run_ctl.h"

namespace winnow::testing {
namespace {

using ::testing::HasSubstr;

TEST(WinnowctlUsageTest, AFlagWithoutItsValueDoesNotTakeTheNextArgumentForIt) {
  const Outcome outcome = RunCtl({"--tenant=", "context", "list"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("--tenant has no value behind its '='"));
}

}  // namespace
}  // namespace winnow::testing
