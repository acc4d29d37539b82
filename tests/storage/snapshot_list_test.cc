#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "storage/error.h"
#include "storage/snapshot.h"
#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SnapshotListTest : public ::testing::Test {
 protected:
  void Make(const std::string& path) {
    const std::filesystem::path file = dir_.File(path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << "{}";
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& part, size_t limit = 10) const {
    return ListSnapshots(dir_.path(), part, limit);
  }

  const testing::TempDir dir_;
};

TEST_F(SnapshotListTest, FinishedOnesAreListedInOrder) {
  for (const char* path :
       {"u/b/shard-0/snapshot.json", "t/a/shard-0/snapshot.json", "t/a/shard-1/snapshot.json",
        "t/c/shard-1/snapshot.json", "t/d/shard-0/unfinished.json", "t/shard-0/snapshot.json",
        "t/a/b/shard-0/snapshot.json", "shard-0/snapshot.json", "t/file"}) {
    Make(path);
  }
  EXPECT_THAT(List("shard-0").value(), ElementsAre("t/a", "u/b"));
  EXPECT_THAT(List("shard-1").value(), ElementsAre("t/a", "t/c"));
  EXPECT_THAT(List("shard-2").value(), IsEmpty());
}

TEST_F(SnapshotListTest, TooManyAreRefusedByTheirLimit) {
  for (const char* id : {"1", "2", "3"}) Make(std::string("t/") + id + "/p/snapshot.json");
  EXPECT_EQ(List("p", 3)->size(), 3u);
  EXPECT_EQ(ErrorReason(List("p", 2).status()), "TOO_MANY_SNAPSHOTS") << List("p", 2).status();
}

TEST_F(SnapshotListTest, WhatIsNoDirectoryIsNamed) {
  Make("file");
  const absl::Status absent = ListSnapshots(dir_.File("absent"), "p").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(absent), "NO_SNAPSHOT") << absent;
  EXPECT_EQ(ErrorReason(ListSnapshots(dir_.File("file"), "p").status()), "DISK_FAILED");
}

}  // namespace
}  // namespace winnow
