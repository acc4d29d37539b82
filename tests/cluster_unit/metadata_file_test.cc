// The embedded store that is kept in a file: what survives, and what is refused.
#include "services/cluster/metadata_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "storage/error.h"
#include "tests/support/temp_dir.h"

namespace winnow::cluster {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// What a file ends in.
std::string WithChecksum(std::string bytes) {
  const uint64_t checksum = XXH3_64bits(bytes.data(), bytes.size());
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return bytes;
}

class MetadataFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<MetadataStore> Open() {
    absl::StatusOr<std::unique_ptr<MetadataStore>> store = OpenEmbeddedMetadata(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  void ExpectRefused(const std::string& bytes, absl::StatusCode code, const std::string& reason) {
    WriteFile(path_, bytes);
    const absl::Status status = OpenEmbeddedMetadata(path_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ErrorReason(status), reason) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
    EXPECT_EQ(ReadFile(path_), bytes) << "a refused file was changed";
  }

  const winnow::testing::TempDir folder_;
  const std::string path_ = folder_.path() + "/deeper/still/metadata";
};

TEST_F(MetadataFileTest, WhatWasPutIsThereAfterReopening) {
  const std::string bytes("\0\xff\n/", 4);
  int64_t first = 0;
  {
    auto store = Open();
    first = store->Put("profiles/1", bytes, 0).value();
    ASSERT_TRUE(store->Put("profiles/2", "", 0).ok());
    ASSERT_TRUE(store->Put(bytes, "key of bytes", 0).ok());
    const int64_t gone = store->Put("profiles/3", "gone", 0).value();
    ASSERT_TRUE(store->Delete("profiles/3", gone).ok());
  }
  auto store = Open();
  EXPECT_THAT(store->List("").value(), SizeIs(3));
  EXPECT_EQ(store->Get("profiles/1")->value, bytes);
  EXPECT_EQ(store->Get("profiles/1")->revision, first);
  EXPECT_EQ(store->Get("profiles/2")->value, "");
  EXPECT_EQ(store->Get(bytes)->value, "key of bytes");
}

TEST_F(MetadataFileTest, ARevisionIsNotGivenAgainAfterReopening) {
  int64_t last = 0;
  {
    auto store = Open();
    last = store->Put("a", "1", 0).value();
    ASSERT_TRUE(store->Delete("a", last).ok());
  }
  // The deletion took one too.
  EXPECT_GT(Open()->Put("a", "2", 0).value(), last + 1);
}

TEST_F(MetadataFileTest, ANewStoreHasAFileAtOnce) {
  EXPECT_THAT(Open()->List("").value(), SizeIs(0));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(MetadataFileTest, TheFileHasTheseBytes) {
  const MetadataContents contents = {.revision = 5,
                                     .entries = {{"k", {"k", std::string("v\0", 2), 4}}}};
  const std::string body(
      "WINNOWMD\1\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
      "\4\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0kv\0",
      28 + 19);
  EXPECT_EQ(EncodeMetadata(contents), WithChecksum(body));
  const absl::StatusOr<MetadataContents> decoded = DecodeMetadata(WithChecksum(body));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->revision, 5);
  EXPECT_EQ(decoded->entries.at("k").revision, 4);
}

TEST_F(MetadataFileTest, EveryFlippedBitAndEveryTruncationIsDetected) {
  ASSERT_TRUE(Open()->Put("profiles/1", "value", 0).ok());
  const std::string good = ReadFile(path_);
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1 << bit);
      ASSERT_EQ(ErrorReason(DecodeMetadata(bad).status()), "CORRUPT_METADATA") << at;
    }
    std::string flipped = good;
    flipped[at] = static_cast<char>(~flipped[at]);
    ExpectRefused(flipped, absl::StatusCode::kDataLoss, "CORRUPT_METADATA");
    ExpectRefused(good.substr(0, at), absl::StatusCode::kDataLoss, "CORRUPT_METADATA");
  }
  ExpectRefused(good + '\0', absl::StatusCode::kDataLoss, "CORRUPT_METADATA");
  WriteFile(path_, good);
  EXPECT_EQ(Open()->Get("profiles/1")->value, "value");
}

TEST_F(MetadataFileTest, WhatHasARightChecksumAndWrongContentsIsRefused) {
  Open();
  const std::string head("WINNOWMD\1\0\0\0\5\0\0\0\0\0\0\0", 20);
  const std::string none(8, '\0');
  const std::string many(8, '\xff');
  for (const std::string& body :
       {head + many, head + std::string("\1\0\0\0\0\0\0\0", 8), head + none + "x",
        "WINNOWMX" + head.substr(8) + none,
        head + std::string("\1\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\xff\xff\xff\xff\2\0\0\0kv", 26)}) {
    ExpectRefused(WithChecksum(body), absl::StatusCode::kDataLoss, "CORRUPT_METADATA");
  }
}

TEST_F(MetadataFileTest, ALaterVersionIsNotTakenForDamage) {
  Open();
  const std::string body("WINNOWMD\2\0\0\0whatever it has", 27);
  ExpectRefused(WithChecksum(body), absl::StatusCode::kFailedPrecondition, "UNKNOWN_VERSION");
}

TEST_F(MetadataFileTest, ASecondProcessIsRefused) {
  auto store = Open();
  const absl::Status status = OpenEmbeddedMetadata(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_EQ(ErrorReason(status), "DATA_DIR_IN_USE");
  store.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(MetadataFileTest, AnInterruptedWriteLeavesWhatWasThere) {
  ASSERT_TRUE(Open()->Put("a", "1", 0).ok());
  WriteFile(path_ + ".tmp", "half of a file");
  auto store = Open();
  EXPECT_EQ(store->Get("a")->value, "1");
  EXPECT_TRUE(store->Put("b", "2", 0).ok());
}

TEST_F(MetadataFileTest, AWriteThatFailsChangesNothingAndTheNextOneMaySucceed) {
  auto store = Open();
  const int64_t held = store->Put("a", "1", 0).value();
  std::filesystem::create_directory(path_ + ".tmp");  // in the way of the next write
  const absl::Status failed = store->Put("a", "2", held).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable) << failed;
  EXPECT_EQ(ErrorReason(failed), "DISK_FAILED");
  EXPECT_EQ(ErrorReason(store->Delete("a", held)), "DISK_FAILED");
  EXPECT_EQ(store->Get("a")->value, "1");
  EXPECT_EQ(store->Get("a")->revision, held);
  std::filesystem::remove(path_ + ".tmp");
  EXPECT_TRUE(store->Put("a", "2", held).ok());
  store.reset();
  EXPECT_EQ(Open()->Get("a")->value, "2");
}

TEST_F(MetadataFileTest, AFolderThatCannotBeMadeIsAnError) {
  WriteFile(folder_.path() + "/file", "");
  const absl::Status status = OpenEmbeddedMetadata(folder_.path() + "/file/metadata").status();
  EXPECT_EQ(ErrorReason(status), "DISK_FAILED") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/file"));
}

}  // namespace
}  // namespace winnow::cluster
