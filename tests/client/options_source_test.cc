// Flags, the environment and the file: which of them speaks, and how a refusal names it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/client/parse_options.h"
#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

using ::testing::HasSubstr;

TEST(OptionsSource, AFlagWinsOverTheEnvironmentAndTheFile) {
  const testing::TempDir dir;
  const std::string config = "--config=" + dir.Write("config", "shards=2\nthreads=2\n");
  const Options options =
      Accepted({"--shards=3", config}, {{"WINNOW_SHARDS", "5"}, {"WINNOW_MAX_SELECTIONS", "6"}});
  EXPECT_EQ(options.shards, 3u);
  EXPECT_EQ(options.threads, 2) << "from the file";
  EXPECT_EQ(options.max_selections, 6u) << "from the environment";
}

TEST(OptionsSource, TheEnvironmentWinsOverTheFile) {
  const testing::TempDir dir;
  const std::string config = "--config=" + dir.Write("config", "shards=2\n");
  EXPECT_EQ(Accepted({config}, {{"WINNOW_SHARDS", "5"}}).shards, 5u);
}

TEST(OptionsSource, TheEnvironmentNamesTheFile) {
  const testing::TempDir dir;
  EXPECT_EQ(Accepted({}, {{"WINNOW_CONFIG", dir.Write("config", "shards=2\n")}}).shards, 2u);
  EXPECT_THAT(Refused({}, {{"WINNOW_CONFIG", dir.File("absent")}}), HasSubstr("absent"));
}

TEST(OptionsSource, AnEmptyVariableIsNone) {
  const testing::TempDir dir;
  const std::string config = "--config=" + dir.Write("config", "data-dir=/d\nshards=2\n");
  const Options options = Accepted({config}, {{"WINNOW_DATA_DIR", ""}, {"WINNOW_SHARDS", ""}});
  EXPECT_EQ(options.data_dir, "/d");
  EXPECT_EQ(options.shards, 2u);
  EXPECT_EQ(Accepted({config}, {{"WINNOW_CONFIG", ""}}).shards, 2u);
  EXPECT_EQ(Accepted({}, {{"WINNOW_CONFIG", ""}}).shards, 4u);
}

}  // namespace
}  // namespace winnow
