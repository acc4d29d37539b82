#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/error.h"
#include "tests/faults/faulty_server.h"
#include "tests/faults/owner.h"

// A real winnowd whose disk refuses: it says why, answers for what it holds, and is well again once
// the disk is.
namespace winnow::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr absl::Duration kRecovery = absl::Seconds(15);
constexpr uint32_t kBatch = 50;

// A server, a context on its disk, and a way to make its disk ill.
class DiskTrouble : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }

  void Start() {
    server_.reset();  // the directory is one process's
    server_ = std::make_unique<FaultyServer>(
        data_dir(), std::vector<std::string>{"--shards=1", "--threads=1", "--memory-budget=96MiB"},
        std::map<std::string, std::string>{{"WINNOW_DISK_TROUBLE", trouble_file()}});
    ASSERT_TRUE(server_->Serves()) << server_->process().Err();
    rpc_ = std::make_unique<Rpc>(server_->address());
    const auto fingerprint = rpc_->RegisterProfile(FaultProfile(true));
    ASSERT_TRUE(fingerprint.ok()) << fingerprint.status();
    fingerprint_ = *fingerprint;
  }

  std::string data_dir() const { return dir_.File("data"); }
  std::string trouble_file() const { return dir_.File("trouble"); }

  // As tests/faults/disk_hook.cc reads it.
  void Sicken(const char* call, int error) {
    dir_.Write("coming", absl::StrCat(call, " ", error, " ", data_dir()));
    std::filesystem::rename(dir_.File("coming"), trouble_file());
  }
  void Heal() { std::filesystem::remove(trouble_file()); }

  OwnedContext Make(const std::string& id, Durability durability, uint32_t entries) {
    OwnedContext context{
        .id = id, .durability = durability, .profile = FaultProfile(true), .content = Content(7)};
    context.ends.resize(context.profile.layers.size());
    EXPECT_EQ(rpc_->Create(fingerprint_, id, durability), absl::OkStatus());
    while (context.entries() < entries) {
      const absl::Status status = Append(&context);
      EXPECT_EQ(status, absl::OkStatus());
      if (!status.ok()) break;
    }
    return context;
  }

  absl::Status Append(OwnedContext* context) {
    const uint64_t start = context->entries();
    std::vector<v1::LayerEntries> layers;
    for (int layer = 0; layer < static_cast<int>(context->ends.size()); ++layer) {
      if (!context->profile.stores(layer)) continue;
      layers.push_back(LayerMessage(layer,
                                    context->content.Keys(context->profile, layer, start, kBatch),
                                    context->content.Rows(context->profile, layer, start, kBatch)));
    }
    const absl::Status status = rpc_->Append(context->id, start, kBatch, layers).status();
    for (const v1::LayerEntries& layer : layers) {
      if (status.ok()) context->ends[layer.layer()] = start + kBatch;
    }
    return status;
  }

  // The first error of many appends; OK if there was none.
  absl::Status AppendUntilRefused(OwnedContext* context, int appends) {
    absl::Status status;
    for (int i = 0; i < appends && status.ok(); ++i) status = Append(context);
    return status;
  }

  void ExpectHeld(const OwnedContext& context) {
    Owner judge("judge", 1);
    judge.VerifyContext(rpc_.get(), context);
    EXPECT_TRUE(judge.wrong().empty()) << absl::StrJoin(judge.wrong(), "\n");
  }

  // Takes appends again soon, and keeps all of them over a kill.
  void ExpectWell(OwnedContext* context) {
    const absl::Time until = absl::Now() + kRecovery;
    absl::Status status = Append(context);
    while (!status.ok() && absl::Now() < until) {
      absl::SleepFor(absl::Milliseconds(50));
      status = Append(context);
    }
    ASSERT_EQ(status, absl::OkStatus());
    EXPECT_EQ(AppendUntilRefused(context, 60), absl::OkStatus());
    ExpectHeld(*context);
    server_->Kill();
    ASSERT_NO_FATAL_FAILURE(Start());
    ExpectHeld(*context);
  }

  void ExpectRefusalAndRecovery(const char* call, int error, Durability durability,
                                const char* reason) {
    OwnedContext context = Make("a", durability, 600);
    Sicken(call, error);
    const absl::Status refused = AppendUntilRefused(&context, 400);
    EXPECT_EQ(ErrorReason(refused), reason) << refused;
    EXPECT_THAT(std::string(refused.message()),
                AnyOf(HasSubstr(strerror(error)), HasSubstr(data_dir())));
    ExpectHeld(context);
    EXPECT_FALSE(rpc_->Create(fingerprint_, "b", Durability::kLogged).ok());
    ExpectHeld(context);
    Heal();
    ExpectWell(&context);
  }

  const TempDir dir_;
  std::unique_ptr<FaultyServer> server_;
  std::unique_ptr<Rpc> rpc_;
  std::string fingerprint_;
};

TEST_F(DiskTrouble, FullDiskRefusesAppendsUntilThereIsRoom) {
  ExpectRefusalAndRecovery("write", ENOSPC, Durability::kLogged, "DISK_FULL");
}

TEST_F(DiskTrouble, FailedWritesRefuseAppendsUntilTheyWork) {
  ExpectRefusalAndRecovery("write", EIO, Durability::kLogged, "DISK_FAILED");
}

TEST_F(DiskTrouble, FailedSyncsAreNotAcknowledged) {
  ExpectRefusalAndRecovery("sync", EIO, Durability::kSynced, "DISK_FAILED");
}

TEST_F(DiskTrouble, ReadOnlyDirectoryRefusesAppends) {
  ExpectRefusalAndRecovery("write", EROFS, Durability::kLogged, "DISK_FAILED");
}

TEST_F(DiskTrouble, ReadOnlyDirectoryIsNamedAtTheStart) {
  Sicken("write", EROFS);
  server_->Kill();
  FaultyServer second(data_dir(), {"--shards=1"}, {{"WINNOW_DISK_TROUBLE", trouble_file()}});
  EXPECT_EQ(second.process().Wait(), 1);
  EXPECT_THAT(second.process().Err(), HasSubstr(data_dir()));
}

TEST_F(DiskTrouble, FailedReadsSpareWhatIsInMemory) {
  const OwnedContext cold = Make("cold", Durability::kLogged, 600);
  const OwnedContext hot = Make("hot", Durability::kLogged, 600);
  // Begins anew with everything on disk.
  server_->process().Signal(SIGTERM);
  ASSERT_EQ(server_->process().Wait(), 0);
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_EQ(rpc_->Restore("hot", v1::PLANES_ALL), absl::OkStatus());
  Sicken("read", EIO);
  const auto refused = rpc_->GatherAll("cold", cold.profile, 0, cold.ends[0]);
  EXPECT_EQ(ErrorReason(refused.status()), "DISK_FAILED") << refused.status();
  ExpectHeld(hot);
  Heal();
  ExpectHeld(cold);
}

TEST_F(DiskTrouble, TooManyOpenFilesPass) {
  OwnedContext context = Make("a", Durability::kLogged, 100);
  const pid_t pid = server_->pid();
  const std::string open_files = absl::StrCat("/proc/", pid, "/fd");
  rlimit usual;
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &usual), 0);
  const auto in_use =
      static_cast<rlim_t>(std::distance(std::filesystem::directory_iterator(open_files), {}));
  const rlimit tight{.rlim_cur = in_use, .rlim_max = usual.rlim_max};
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &tight, nullptr), 0);
  const absl::Status refused = AppendUntilRefused(&context, 400);
  EXPECT_EQ(ErrorReason(refused), "DISK_FAILED") << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("open files"));
  ExpectHeld(context);
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &usual, nullptr), 0);
  ExpectWell(&context);
}

TEST_F(DiskTrouble, SecondProcessOnADirectoryIsRefused) {
  const OwnedContext context = Make("a", Durability::kLogged, 100);
  FaultyServer second(data_dir(), {"--shards=1"});
  EXPECT_EQ(second.process().Wait(), 1);
  EXPECT_THAT(second.process().Err(), HasSubstr(data_dir()));
  ExpectHeld(context);
}

}  // namespace
}  // namespace winnow::testing
