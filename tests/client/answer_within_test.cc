#include <gtest/gtest.h>

#include "services/winnowd/call.h"

namespace winnow {
namespace {

TEST(AnswerWithin, LeavesTimeForTheAnswerToArrive) {
  EXPECT_EQ(AnswerWithin(absl::Seconds(1)), absl::Milliseconds(950));
  EXPECT_EQ(AnswerWithin(absl::Seconds(20)), absl::Milliseconds(19'750));
  EXPECT_EQ(AnswerWithin(absl::ZeroDuration()), absl::ZeroDuration());
  EXPECT_EQ(AnswerWithin(absl::InfiniteDuration()), absl::InfiniteDuration());
  EXPECT_LT(AnswerWithin(-absl::Seconds(1)), absl::ZeroDuration());
}

}  // namespace
}  // namespace winnow
