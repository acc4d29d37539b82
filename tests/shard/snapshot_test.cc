#include "storage/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "storage/error.h"
#include "storage/snapshot_manifest.h"
#include "tests/shard/snapshot_shard.h"

namespace winnow::testing {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;

std::string HexHash(const std::string& text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

void WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST_F(ShardSnapshotTest, ALoadedSnapshotIsTheContextThatWasSaved) {
  Create();
  Append(0, kEntries);
  ASSERT_TRUE(Tier(shard::TierAction::kSpill, /*index=*/false).ok());
  Save(kEntries);
  ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/a"}).ok());
  const absl::Status loaded = Load("t/again");
  ASSERT_TRUE(loaded.ok()) << loaded;
  EXPECT_THAT(shard_.LayerEntries("t/again"), ElementsAre(kEntries, kEntries, kEntries));
  ExpectAnswers(kEntries, "t/again");
}

TEST_F(ShardSnapshotTest, ALateRangeDoesNotReachAContextThatWasMadeAnew) {
  Create();
  Append(0, kEntries);
  Save(kEntries);
  shard::LoadSnapshot range = {
      .context_id = "t/b", .tenant = "t", .shards = 1, .directory = directory(), .stripes = 1};
  const auto load = [&] { return shard_.Ask<shard::SnapshotResult>(range).status(); };
  ASSERT_TRUE(load().ok());
  shard::LoadSnapshot late = range;
  late.first_stripe = 1;
  late.incarnation = shard_.incarnation("t/b");
  ASSERT_TRUE(shard_.Ask(shard::DeleteContext{.context_id = "t/b"}).ok());
  ASSERT_TRUE(load().ok());
  ExpectError(shard_.Ask<shard::SnapshotResult>(late).status(), StatusCode::kFailedPrecondition,
              "STALE_CONTEXT");
  EXPECT_EQ(shard_.LayerEntries("t/b")[0], kStripeEntries);
  Create("t/c");
  range = late;
  range.context_id = "t/c";
  range.incarnation = 0;
  range.tenant = "other";
  ExpectError(load(), StatusCode::kFailedPrecondition, "SNAPSHOT_OF_ANOTHER");
}

TEST_F(ShardSnapshotTest, TenantsAndTheirSnapshotsAreListed) {
  const auto tenants = [this] {
    return shard_.Ask<shard::NamesResult>(shard::ListTenants{}).value().names;
  };
  EXPECT_THAT(tenants(), ElementsAre());
  Create("t/a");
  Create("t/b");
  EXPECT_THAT(tenants(), ElementsAre("t"));
  const std::string directory = snapshots_.path();
  const shard::ListSnapshots list = {.directory = directory, .part = "shard-0"};
  EXPECT_THAT(shard_.Ask<shard::NamesResult>(list).value().names, ElementsAre());
  std::filesystem::create_directories(directory + "/t/a");
  Append(0, 10);
  Save(10);
  std::filesystem::rename(directory + "/shard-0", directory + "/t/a/shard-0");
  EXPECT_THAT(shard_.Ask<shard::NamesResult>(list).value().names, ElementsAre("t/a"));
  ExpectError(
      shard_.Ask<shard::NamesResult>(shard::ListSnapshots{.directory = "/no/such", .part = "p"})
          .status(),
      StatusCode::kNotFound, "NO_SNAPSHOT");
}

TEST_F(ShardSnapshotTest, EveryLayerEndsWhereTheSnapshotDoes) {
  Create();
  Append(0, 5000);
  shard::Append more = shard_.AppendCall(5000, 50);
  more.layers.resize(1);
  ASSERT_TRUE(shard_.Ask<shard::AppendResult>(more).ok());
  Save(4900);
  ASSERT_TRUE(Load("t/again").ok());
  EXPECT_THAT(shard_.LayerEntries("t/again"), ElementsAre(4900, 4900, 4900));
}

TEST_F(ShardSnapshotTest, OneOfAnotherNumberOfShardsIsRefused) {
  Create();
  Append(0, 10);
  Save(10);
  ExpectError(Load("t/again", 2), StatusCode::kFailedPrecondition, "OTHER_SHARDS");
}

TEST_F(ShardSnapshotTest, OneOfAnotherShardIsRefused) {
  Create();
  Append(0, 10);
  Save(10);
  const std::string other = snapshots_.path() + "/shard-1";
  std::filesystem::rename(directory(), other);
  const shard::LoadSnapshot call = {
      .context_id = "t/again", .tenant = "t", .shards = 1, .directory = other, .stripes = 1};
  ExpectError(shard_.Ask<shard::SnapshotResult>(call).status(), StatusCode::kFailedPrecondition,
              "OTHER_SHARD");
}

TEST_F(ShardSnapshotTest, EveryDamagedByteIsFound) {
  Create();
  Append(0, 3);
  Save(3);
  int damages = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory())) {
    const std::string good = ReadFile(file.path());
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 0x10);
      WriteFile(file.path(), bad);
      ASSERT_EQ(Load("t/again").code(), StatusCode::kDataLoss) << file.path() << " byte " << i;
      WriteFile(file.path(), good.substr(0, i));
      ASSERT_EQ(Load("t/again").code(), StatusCode::kDataLoss) << file.path() << " cut at " << i;
      ++damages;
    }
    WriteFile(file.path(), good);
  }
  EXPECT_GT(damages, 1000);
  EXPECT_TRUE(Load("t/again").ok());
}

TEST_F(ShardSnapshotTest, AProfileThatCannotBeIsRefused) {
  Create();
  Append(0, 3);
  Save(3);
  const ContextRecord saved = ReadManifest(directory()).value().record;
  ContextRecord record = saved;
  record.profile.latent_dim = record.profile.rope_dim = 0;
  const auto hex = [](const ContextRecord& of) {
    return absl::BytesToHexString(EncodeContextRecord(of));
  };
  const std::string path = directory() + "/snapshot.json";
  std::string line = ReadFile(path);
  line = line.substr(0, line.find('\n'));
  line.replace(line.find(hex(saved)), hex(saved).size(), hex(record));
  WriteFile(path, line + "\n" + HexHash(line) + "\n");
  ExpectError(Load("t/again"), StatusCode::kDataLoss, "CORRUPT_SNAPSHOT");
}

TEST_F(ShardSnapshotTest, ASizeThatCannotBeAndAMissingPartAreDamage) {
  Create();
  Append(0, 3);
  Save(3);
  SnapshotManifest manifest = ReadManifest(directory()).value();
  manifest.parts[0].seal.bytes = UINT64_MAX;
  ASSERT_TRUE(WriteManifest(directory(), manifest).ok());
  ExpectError(Load("t/again"), StatusCode::kDataLoss, "CORRUPT_SNAPSHOT");
  ASSERT_TRUE(std::filesystem::remove(directory() + "/part-000000.wns"));
  ExpectError(Load("t/again"), StatusCode::kDataLoss, "CORRUPT_SNAPSHOT");
}

TEST_F(ShardSnapshotTest, ALaterVersionIsRefused) {
  Create();
  Append(0, 3);
  Save(3);
  const std::string path = directory() + "/snapshot.json";
  std::string manifest = ReadFile(path);
  const std::string version = "\"version\":1";
  manifest.replace(manifest.find(version), version.size(), "\"version\":2");
  // The checksum is of the line before it; a writer of that version would have put the right one.
  const std::string line = manifest.substr(0, manifest.find('\n'));
  WriteFile(path, line + "\n" + HexHash(line) + "\n");
  ExpectError(Load("t/again"), StatusCode::kFailedPrecondition, "UNKNOWN_VERSION");
}

}  // namespace
}  // namespace winnow::testing
