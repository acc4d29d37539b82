// A data directory belongs to one shard of so many, whoever starts on it.
#include "services/cluster/shard_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "storage/error.h"
#include "tests/support/temp_dir.h"

namespace winnow::cluster {
namespace {

using ::testing::HasSubstr;

class ShardLayoutTest : public ::testing::Test {
 protected:
  std::string Bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

  const winnow::testing::TempDir directory_;
  const std::string path_ = directory_.File("LAYOUT");
};

TEST_F(ShardLayoutTest, ADirectoryTakesTheFirstAndRefusesAnother) {
  EXPECT_EQ(ReadLayout(directory_.path()).value(), std::nullopt);
  EXPECT_TRUE(CheckLayout(directory_.path(), {.shard = 5, .shards = 6}).ok()) << "only asked";
  ASSERT_TRUE(KeepLayout(directory_.path(), {.shard = 1, .shards = 2}).ok());
  EXPECT_TRUE(KeepLayout(directory_.path(), {.shard = 1, .shards = 2}).ok());
  for (const ShardLayout& other : {ShardLayout{0, 2}, {1, 3}, {0, 1}}) {
    for (const absl::Status& refused :
         {CheckLayout(directory_.path(), other), KeepLayout(directory_.path(), other)}) {
      EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
      EXPECT_EQ(ErrorReason(refused), "WRONG_SHARD") << refused;
      EXPECT_EQ(ErrorFacts(refused)["directory"], directory_.path());
      EXPECT_THAT(
          std::string(refused.message()),
          AllOf(HasSubstr(directory_.path()), HasSubstr("shard 1 of 2"), HasSubstr("--shards")));
    }
  }
  EXPECT_EQ(ReadLayout(directory_.path()).value(), (ShardLayout{1, 2}));
}

TEST_F(ShardLayoutTest, ADirectoryThatIsGoneIsNoEmptyShard) {
  const std::vector<std::string> directories = {directory_.File("shard-0"),
                                                directory_.File("shard-1")};
  const auto reason = [&](bool started_before) {
    return ErrorReason(CheckLayouts(directories, started_before));
  };
  std::filesystem::create_directory(directories[0]);
  ASSERT_TRUE(KeepLayout(directories[0], {.shard = 0, .shards = 2}).ok());
  EXPECT_EQ(reason(false), "") << "a first start that was cut short goes on";
  const absl::Status missing = CheckLayouts(directories, true);
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition) << missing;
  EXPECT_EQ(ErrorFacts(missing)["directory"], directories[1]);
  EXPECT_THAT(std::string(missing.message()),
              AllOf(HasSubstr("shard 1 of 2"), HasSubstr(directories[1] + "/LOST")));
  std::filesystem::create_directory(directories[1]);
  EXPECT_EQ(reason(true), "MISSING_SHARD") << "nothing is mounted there";
  std::ofstream(directories[1] + "/LOST");
  EXPECT_EQ(reason(true), "");
  EXPECT_EQ(ErrorReason(CheckLayouts({directories[1], directories[0]}, true)), "WRONG_SHARD");
}

TEST_F(ShardLayoutTest, EveryFlippedByteAndEveryTruncationIsDetected) {
  ASSERT_TRUE(KeepLayout(directory_.path(), {.shard = 12, .shards = 345}).ok());
  const std::string good = Bytes();
  EXPECT_THAT(good, HasSubstr("winnow-layout 1 12 345\n"));
  for (size_t at = 0; at < good.size(); ++at) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(~flipped[at]);
    for (const std::string& bad : {flipped, good.substr(0, at)}) {
      Write(bad);
      const absl::Status refused = KeepLayout(directory_.path(), {.shard = 12, .shards = 345});
      ASSERT_EQ(ErrorReason(refused), "CORRUPT_STORE") << at;
      EXPECT_THAT(std::string(refused.message()), HasSubstr(path_));
      EXPECT_EQ(Bytes(), bad) << "a refused file was changed";
    }
  }
}

TEST_F(ShardLayoutTest, AnInterruptedWriteIsNoLayout) {
  std::ofstream(path_ + ".tmp") << "winnow-lay";
  EXPECT_TRUE(KeepLayout(directory_.path(), {.shard = 0, .shards = 4}).ok());
  EXPECT_EQ(ReadLayout(directory_.path()).value(), (ShardLayout{0, 4}));
}

TEST_F(ShardLayoutTest, ADirectoryThatCannotBeWrittenIsAnError) {
  std::filesystem::create_directory(path_ + ".tmp");  // in the way
  EXPECT_EQ(ErrorReason(KeepLayout(directory_.path(), {.shard = 0, .shards = 4})), "DISK_FAILED");
}

}  // namespace
}  // namespace winnow::cluster
