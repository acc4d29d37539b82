#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

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

  void ExpectCannotLookInto(const std::string& path) const {
    const absl::Status status = List("p").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ErrorReason(status), "DISK_FAILED") << status;
    EXPECT_EQ(ErrorFacts(status)["path"], dir_.File(path)) << status;
  }
  // Ends the process; nothing is hidden from root.
  static void AsNobody(const std::function<void()>& expectations) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    expectations();
    _exit(HasFailure() ? 1 : 0);
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

TEST_F(SnapshotListTest, WhatNoTenantOrContextIsCalledIsPassedOver) {
  for (const std::string name : {"a b", "\xff", "lost+found"}) {
    Make("t/" + name + "/p/snapshot.json");
    Make(name + "/a/p/snapshot.json");
  }
  Make("t/a/p/snapshot.json");
  EXPECT_THAT(List("p").value(), ElementsAre("t/a"));
}

TEST_F(SnapshotListTest, TooManyAreRefusedByTheirLimit) {
  for (const char* id : {"1", "2", "3"}) Make(std::string("t/") + id + "/p/snapshot.json");
  EXPECT_EQ(List("p", 3)->size(), 3u);
  EXPECT_EQ(ErrorReason(List("p", 2).status()), "TOO_MANY_SNAPSHOTS") << List("p", 2).status();
}

TEST_F(SnapshotListTest, WhatCannotBeLookedIntoIsNamed) {
  Make("t/a/p/snapshot.json");
  std::filesystem::create_symlink("nowhere", dir_.File("t/dangling"));
  std::filesystem::create_symlink("t", dir_.File("link"));
  EXPECT_THAT(List("p").value(), ElementsAre("t/a"));
  std::filesystem::create_symlink("loop", dir_.File("t/loop"));
  ExpectCannotLookInto("t/loop");
}

TEST_F(SnapshotListTest, WhatIsNotForEverybodysEyesIsNamedExceptTheSystemsOwn) {
  Make("t/a/p/snapshot.json");
  std::filesystem::permissions(dir_.path(), std::filesystem::perms::all);
  const auto hide = [this](const std::string& path) {
    std::filesystem::create_directories(dir_.File(path));
    std::filesystem::permissions(dir_.File(path), std::filesystem::perms::none);
  };
  hide("lost+found");
  EXPECT_EXIT({ AsNobody([this] { EXPECT_THAT(List("p").value(), ElementsAre("t/a")); }); },
              ::testing::ExitedWithCode(0), "");
  for (const std::string path : {"t/hidden", "hidden"}) {
    hide(path);
    EXPECT_EXIT({ AsNobody([&] { ExpectCannotLookInto(path); }); }, ::testing::ExitedWithCode(0),
                "");
    std::filesystem::remove(dir_.File(path));
  }
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
