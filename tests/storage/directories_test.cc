#include "storage/directories.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace winnow {
namespace {

TEST(MakeDirectories, MakesThoseThatAreMissing) {
  const testing::TempDir dir;
  for (const char* path : {"a", "b/c/d", "b/c/e", "f/g/"}) {
    const std::string whole = dir.File(path);
    for (int i = 0; i < 2; ++i) {
      const std::error_code error = MakeDirectories(whole);
      EXPECT_FALSE(error) << path << ": " << error.message();
      EXPECT_TRUE(std::filesystem::is_directory(whole)) << path;
    }
  }
}

TEST(MakeDirectories, SaysWhatIsInTheWay) {
  const testing::TempDir dir;
  const std::string file = dir.File("file");
  std::ofstream(file) << "something";
  for (const std::string& path : {file, file + "/a", file + "/a/b"}) {
    EXPECT_EQ(MakeDirectories(path), std::errc::not_a_directory) << path;
  }
  EXPECT_EQ(MakeDirectories("/proc/winnow/a"), std::errc::no_such_file_or_directory);
}

TEST(SyncDirectoryOf, NeedsTheDirectory) {
  const testing::TempDir dir;
  EXPECT_FALSE(SyncDirectoryOf(dir.File("file")));
  EXPECT_EQ(SyncDirectoryOf(dir.File("none/file")), std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace winnow
