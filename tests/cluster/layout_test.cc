// A data directory is one shard's of so many: under another layout its contexts would look shorter,
// and what is appended would be lost to the first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"

namespace winnow::testing {
namespace {

using ::testing::HasSubstr;

// Three stripes, so that each of two shards has some.
constexpr int kEntries = 2 * 4096 + 1000;
constexpr int kCannotStart = 1;

void Stop(Server& server) {
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(), 0) << server.process().Err();
}

class LayoutTest : public ::testing::Test {
 protected:
  LayoutTest() : trial_(SmallProfile(), kEntries, kernels::TestSeed()) {}

  // The id of a context with all entries, in what such a service keeps.
  std::string LoadAndStop(const std::vector<std::string>& flags) const {
    Server server(flags);
    client::Client client(server.address());
    const std::string id = trial_.Load(client, 1000).id();
    Stop(server);
    return id;
  }

  void ExpectAllEntries(const std::string& address, const std::string& id) {
    client::Client client(address);
    auto context = client.OpenContext(id);
    ASSERT_TRUE(context.ok()) << context.status();
    auto info = context->Describe();
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->entries, uint64_t{kEntries});
  }

  const TempDir dir_;
  const Trial trial_;
};

TEST_F(LayoutTest, AStartWithAnotherNumberOfShardsIsRefused) {
  const std::string data = "--data-dir=" + dir_.File("data");
  const std::string id = LoadAndStop({"--shards=2", data});
  for (const std::string shards : {"1", "3"}) {
    Process other("winnowd", {"--shards=" + shards, data, "--listen=127.0.0.1:0"});
    EXPECT_EQ(other.Wait(), kCannotStart) << shards;
    EXPECT_THAT(other.Err(), AllOf(HasSubstr(dir_.File("data/shard-0")), HasSubstr("shard 0 of 2"),
                                   HasSubstr("shard 0 of " + shards), HasSubstr("--shards")));
  }
  EXPECT_FALSE(std::filesystem::exists(dir_.File("data/shard-2")));
  Server again({"--shards=2", data});
  ExpectAllEntries(again.address(), id);
}

TEST_F(LayoutTest, AStartWithoutTheDirectoryOfAShardIsRefused) {
  const std::string data = "--data-dir=" + dir_.File("data");
  const std::string id = LoadAndStop({"--shards=2", data});
  std::filesystem::rename(dir_.File("data/shard-1"), dir_.File("elsewhere"));
  {
    Process without("winnowd", {"--shards=2", data, "--listen=127.0.0.1:0"});
    EXPECT_EQ(without.Wait(), kCannotStart);
    EXPECT_THAT(without.Err(),
                HasSubstr(dir_.File("data/shard-1") + " of shard 1 of 2 is missing"));
  }
  std::filesystem::create_directory(dir_.File("data/shard-1"));
  dir_.Write("data/shard-1/LOST", "");
  {
    Server without({"--shards=2", data});
    client::Client client(without.address());
    EXPECT_EQ(client.OpenContext(id).status().code(), absl::StatusCode::kDataLoss);
    Stop(without);
  }
  std::filesystem::remove_all(dir_.File("data/shard-1"));
  std::filesystem::rename(dir_.File("elsewhere"), dir_.File("data/shard-1"));
  Server again({"--shards=2", data});
  ExpectAllEntries(again.address(), id);
}

TEST_F(LayoutTest, ADirectoryOfAnEarlierVersionTakesTheFirstLayout) {
  const std::string data = "--data-dir=" + dir_.File("data");
  const std::string id = LoadAndStop({"--shards=1", data});
  std::filesystem::remove(dir_.File("data/shard-0/LAYOUT"));
  {
    Server server({"--shards=1", data});
    ExpectAllEntries(server.address(), id);
    Stop(server);
  }
  Process other("winnowd", {"--shards=2", data, "--listen=127.0.0.1:0"});
  EXPECT_EQ(other.Wait(), kCannotStart);
}

TEST_F(LayoutTest, ACoordinatorWithAnotherOrderIsRefusedAfterARestartToo) {
  std::vector<std::unique_ptr<Server>> shards;
  const auto start = [&](const std::string& listen) {
    const std::string data = dir_.File(absl::StrCat("data", shards.size()));
    shards.push_back(std::make_unique<Server>(
        std::vector<std::string>{"--role=shard", "--threads=1", "--data-dir=" + data}, listen));
  };
  start("127.0.0.1:0");
  start("127.0.0.1:0");
  const std::string first = shards[0]->address(), second = shards[1]->address();
  const auto coordinator = [](const std::string& addresses) {
    return std::vector<std::string>{"--role=coordinator", "--shard-address=" + addresses};
  };
  std::string id;
  {
    Server right(coordinator(first + "," + second));
    client::Client client(right.address());
    id = trial_.Load(client, 1000).id();
  }
  for (const auto& shard : shards) Stop(*shard);
  shards.clear();
  start(first);
  start(second);

  // The first to come after the restart.
  Server wrong(coordinator(second + "," + first));
  client::Client client(wrong.address());
  ASSERT_TRUE(client.RegisterProfile(trial_.profile()).ok());
  const absl::Status refused = client.CreateContext(Fingerprint(trial_.profile()), "new").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_EQ(ErrorReason(refused), "WRONG_SHARD") << refused;
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr(dir_.File("data")), HasSubstr("--shard-address")));

  Server right(coordinator(first + "," + second));
  ExpectAllEntries(right.address(), id);
}

TEST_F(LayoutTest, LookingAtShardsDecidesNothing) {
  const Service service = Service::Processes(2);
  const std::vector<std::string> shards = service.shard_addresses();
  {
    Server wrong({"--role=coordinator", "--shard-address=" + shards[1] + "," + shards[0]});
    client::Client looking(wrong.address());
    ASSERT_TRUE(looking.ListShards().ok());
  }
  client::Client client(service.address());
  ExpectAllEntries(service.address(), trial_.Load(client, 1000).id());
}

}  // namespace
}  // namespace winnow::testing
