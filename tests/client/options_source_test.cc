// Flags, the environment and the file: which of them speaks, and how a refusal names it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/client/parse_options.h"
#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

using ::testing::HasSubstr;

TEST(OptionsSource, ARefusalTellsWhereTheValueIsFrom) {
  const testing::TempDir dir;
  const std::string path = dir.File("config");
  const auto file = [&](const std::string& lines) {
    return "--config=" + dir.Write("config", lines);
  };
  EXPECT_THAT(Refused({file("# four\nthreads=2\nshards=0\n")}),
              HasSubstr("it must be a whole number in 1..4096 (at " + path + ":3)"));
  EXPECT_THAT(Refused({file("\nbogus=1\n")}), HasSubstr(path + ":2: there is no flag --bogus"));
  EXPECT_THAT(Refused({file("shards 2\n")}), HasSubstr(path + ":1: 'shards 2' is not key=value"));
  EXPECT_THAT(Refused({file("memory-budget=12GiB # x\n")}),
              HasSubstr(path + ":1: memory-budget has 3 values"));
  EXPECT_EQ(Accepted({file("memory-budget=\"3 GiB\"\n")}).memory_budget_bytes, size_t{3} << 30);
  EXPECT_THAT(Refused({}, {{"WINNOW_SHARDS", "0"}}), HasSubstr("1..4096 (from WINNOW_SHARDS)"));
  EXPECT_THAT(Refused({"--shards=0", file("shards=2\n")}, {{"WINNOW_SHARDS", "3"}}),
              HasSubstr("1..4096\n"));
  EXPECT_THAT(Refused({"--role=shard"}, {{"WINNOW_SHARDS", "2"}}),
              HasSubstr("standalone only (from WINNOW_SHARDS)"));
  EXPECT_THAT(Refused({"--config=" + dir.path()}),
              HasSubstr("cannot read " + dir.path() + ": Is a directory"));
  EXPECT_THAT(Refused({"--config=" + dir.File("absent")}),
              HasSubstr("cannot read " + dir.File("absent") + ": No such file or directory"));
}

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
