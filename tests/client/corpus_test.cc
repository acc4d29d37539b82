#include "client/winnowctl/demo/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "storage/error.h"
#include "tests/cluster/process.h"

namespace winnow::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CorpusTest : public ::testing::Test {
 protected:
  CorpusTest() {
    std::filesystem::create_directories(dir_.File("dir/b"));
    dir_.Write("dir/z", "zz");
    dir_.Write("dir/a", "aaaa");
    dir_.Write("dir/b/c", "ccc");
    dir_.Write("dir/b/empty", "");
  }
  const testing::TempDir dir_;
};

TEST_F(CorpusTest, ADirectoryIsReadInTheOrderOfItsPaths) {
  const absl::StatusOr<Corpus> corpus = ReadCorpus({dir_.File("dir")}, 9);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ(corpus->text, "aaaaccczz");
  EXPECT_EQ(corpus->files, 3u) << "an empty file does not count";
}

TEST_F(CorpusTest, FilesKeepTheOrderGiven) {
  const absl::StatusOr<Corpus> corpus = ReadCorpus({dir_.File("dir/z"), dir_.File("dir/a")}, 5);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ(corpus->text, "zzaaa");
  EXPECT_EQ(corpus->files, 2u);
}

TEST_F(CorpusTest, NoMoreIsReadThanNeeded) {
  const absl::StatusOr<Corpus> corpus =
      ReadCorpus({dir_.File("dir/a"), dir_.File("no such file")}, 4);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ(corpus->text, "aaaa");
  EXPECT_EQ(corpus->files, 1u);
}

TEST_F(CorpusTest, TooLittleTextTellsHowMuchThereIs) {
  const absl::Status status = ReadCorpus({dir_.File("dir")}, 10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ErrorReason(status), "SHORT_TEXT");
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("9 bytes"), HasSubstr("10 "), HasSubstr("--tokens"),
                    HasSubstr(dir_.File("dir"))));
}

TEST_F(CorpusTest, AFileThatIsNotThereIsNamed) {
  const absl::Status status = ReadCorpus({dir_.File("dir/a"), dir_.File("gone")}, 5).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(status), "UNREADABLE_TEXT");
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir_.File("gone")));
}

TEST(CompilerHeaders, AreThoseOfTheNewestVersion) {
  const absl::StatusOr<std::string> headers = CompilerHeaders();
  if (!headers.ok()) GTEST_SKIP() << headers.status();
  EXPECT_TRUE(std::filesystem::exists(*headers + "/vector"));
  const int newest = std::stoi(std::filesystem::path(*headers).filename());
  for (int version = newest + 1; version < newest + 10; ++version) {
    EXPECT_FALSE(std::filesystem::exists("/usr/include/c++/" + std::to_string(version)));
  }
}

TEST_F(CorpusTest, AFileWithoutAnEndIsReadAsFarAsItIsWanted) {
  const absl::StatusOr<Corpus> corpus = ReadCorpus({"/dev/zero"}, 3'000'000);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ(corpus->text.size(), 3'000'000u);
}

TEST_F(CorpusTest, ALinkToItselfIsNoFile) {
  std::filesystem::create_symlink("loop", dir_.File("dir/loop"));
  EXPECT_TRUE(ReadCorpus({dir_.File("dir")}, 9).ok());
  // A process' memory can be opened, but not read from its beginning.
  EXPECT_FALSE(ReadCorpus({"/proc/self/mem"}, 9).ok());
}

}  // namespace
}  // namespace winnow::ctl
