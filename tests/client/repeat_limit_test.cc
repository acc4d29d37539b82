#include "services/winnowd/repeat_limit.h"

#include <gtest/gtest.h>

namespace winnow {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1);

TEST(RepeatLimit, LetsOneThroughInEachIntervalAndCountsTheOthers) {
  RepeatLimit limit(absl::Seconds(10), 100);
  EXPECT_EQ(limit.Pass("a", kStart), 0u);
  for (int i = 1; i < 10; ++i) EXPECT_EQ(limit.Pass("a", kStart + absl::Seconds(i)), std::nullopt);
  EXPECT_EQ(limit.Pass("b", kStart + absl::Seconds(5)), 0u) << "another event";
  EXPECT_EQ(limit.Pass("a", kStart + absl::Seconds(10)), 9u);
  EXPECT_EQ(limit.Pass("a", kStart + absl::Seconds(11)), std::nullopt);
  EXPECT_EQ(limit.Pass("a", kStart + absl::Seconds(40)), 1u);
}

TEST(RepeatLimit, RemembersNoMoreThanItsBound) {
  RepeatLimit limit(absl::Seconds(10), 2);
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(limit.Pass(key, kStart), 0u);
  EXPECT_EQ(limit.Pass("c", kStart), std::nullopt);
  EXPECT_EQ(limit.Pass("a", kStart), 0u) << "it was forgotten";
}

}  // namespace
}  // namespace winnow
