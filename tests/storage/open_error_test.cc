// What an operator is told of a data directory that cannot be used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "storage/entry_store.h"
#include "storage/error.h"
#include "storage/rocksdb/status.h"
#include "tests/storage/entry_store_data.h"

namespace winnow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::Status OpenStatus(const std::string& directory) {
  Recovery recovery;
  return EntryStore::Open(SmallStore(directory), &recovery).status();
}

TEST(OpenError, ADamagedDirectoryIsNamedAndWhatToDo) {
  const TempDirectory directory;
  {
    const auto store = MustOpen(SmallStore(directory.path()));
    StoreContext context("a", Durability::kLogged);
    ASSERT_TRUE(context.Add(store.get()).ok());
  }
  std::ofstream(directory / "CURRENT") << "nothing";
  const absl::Status refused = OpenStatus(directory.path());
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
  EXPECT_EQ(ErrorReason(refused), "CORRUPT_STORE") << refused;
  EXPECT_EQ(ErrorFacts(refused)["file"], "CURRENT") << refused;
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr(directory.path()), HasSubstr("CURRENT does not name a manifest"),
                    HasSubstr("restore it from a backup")));
}

TEST(OpenError, ADirectoryThatCannotBeMadeIsNamed) {
  EXPECT_THAT(std::string(OpenStatus("/proc/nowhere").message()), HasSubstr("/proc/nowhere"));
}

TEST(OpenError, WhereAccessIsDeniedTryingAgainIsNoAdvice) {
  const rocksdb::Status denied = rocksdb::Status::IOError("/data/000007.log", "Permission denied");
  for (const absl::Status& refused :
       {FromRocksdb(denied, "opening"), FromErrno(EACCES, "cannot open /data")}) {
    EXPECT_EQ(ErrorReason(refused), "DISK_FAILED") << refused;
    EXPECT_THAT(std::string(refused.message()),
                AllOf(HasSubstr("/data"), HasSubstr("Permission denied"), HasSubstr("who owns"),
                      Not(HasSubstr("try again"))));
  }
  const absl::Status broken = FromRocksdb(rocksdb::Status::IOError("/data", "broken"), "writing");
  EXPECT_THAT(std::string(broken.message()), HasSubstr("try again"));
  EXPECT_EQ(ErrorReason(FromErrno(ENOSPC, "cannot write /data")), "DISK_FULL");
}

}  // namespace
}  // namespace winnow
