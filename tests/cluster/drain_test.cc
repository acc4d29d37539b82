// A server that is told to stop: it begins nothing, finishes what runs, and does not wait for more.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "services/wire/status.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"
#include "winnow/v1/contexts.grpc.pb.h"
#include "winnow/v1/retrieval.grpc.pb.h"

namespace winnow::testing {
namespace {

constexpr int kEntries = 2 * 4096 + 1000;
constexpr absl::Duration kInTime = absl::Seconds(40);
// Far above what a test waits.
const char* const kLongDrain = "--drain-timeout=10m";

class DrainTest : public ::testing::Test {
 protected:
  DrainTest()
      : trial_(SmallProfile(), kEntries, kernels::TestSeed()), query_(trial_.Query({kEntries})) {}

  Trial trial_;
  const TrialQuery query_;
};

TEST_F(DrainTest, NewCallsAreRefusedWhileARunningOneFinishes) {
  Service service = Service::Processes(2, {kLongDrain});
  client::Client client(service.address());
  const client::Context context = trial_.Load(client, 1000);
  Process& coordinator = service.coordinator().process();
  Process& shard = service.shard(0).process();
  shard.Stop();
  auto running = context.AttendAsync(query_.Request());
  EXPECT_EQ(running.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  coordinator.Signal(SIGTERM);
  // Needs no shard.
  absl::Status refused;
  for (const absl::Time until = absl::Now() + kInTime; refused.ok() && absl::Now() < until;) {
    refused = client.RegisterProfile(trial_.profile()).status();
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_EQ(ErrorReason(refused), "DRAINING") << refused;
  shard.Signal(SIGCONT);
  const auto result = running.get();
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSame(result->selection, trial_.Selected(query_));
  EXPECT_EQ(coordinator.Wait(kInTime), 0) << coordinator.Err();
}

TEST_F(DrainTest, ADrainThatRunsOutEndsCallsThatWaitForAShard) {
  Service service = Service::Processes(2, {"--drain-timeout=500ms"});
  client::Client client(service.address(), {.timeout = absl::Minutes(1)});
  const client::Context context = trial_.Load(client, 1000);
  Process& coordinator = service.coordinator().process();
  service.shard(0).process().Stop();
  auto running = context.AttendAsync(query_.Request());
  EXPECT_EQ(running.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  coordinator.Signal(SIGTERM);
  // Long before the call's deadline, and before the connection would be found dead.
  EXPECT_EQ(coordinator.Wait(absl::Seconds(12)), 0) << coordinator.Err();
  EXPECT_EQ(running.get().status().code(), absl::StatusCode::kUnavailable);
}

// Threads that make one call after the other, as long as this lives. A call may fail as UNAVAILABLE
// only.
class Callers {
 public:
  using Call = std::function<absl::Status()>;
  // Waits until some calls were answered.
  Callers(const Call& call, bool go_on_after_failure) {
    for (int i = 0; i < 3; ++i) {
      threads_.emplace_back([this, call, go_on_after_failure] {
        bool goes_on = true;
        while (goes_on && !over_) {
          const absl::Status status = call();
          answered_ += status.ok();
          EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
          goes_on = status.ok() || go_on_after_failure;
        }
      });
    }
    for (const absl::Time until = absl::Now() + kInTime; answered_ < 20 && absl::Now() < until;) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    EXPECT_GE(answered_, 20);
  }
  ~Callers() { over_ = true; }

 private:
  std::atomic<bool> over_ = false;
  std::atomic<int> answered_ = 0;
  std::vector<std::jthread> threads_;
};

class DrainOfRoleTest : public DrainTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(DrainOfRoleTest, StopsThoughCallsKeepComing) {
  Server shard({"--role=shard", "--threads=1", kLongDrain});
  Server coordinator({"--role=coordinator", "--shard-address=" + shard.address(), kLongDrain});
  client::Client client(coordinator.address());
  const client::Context context = trial_.Load(client, 1000);
  const Callers callers([&] { return context.Select(0, query_.Index()).status(); },
                        /*go_on_after_failure=*/true);
  Process& stopping = (GetParam() == "shard" ? shard : coordinator).process();
  stopping.Signal(SIGTERM);
  EXPECT_EQ(stopping.Wait(kInTime), 0) << stopping.Err();
}

INSTANTIATE_TEST_SUITE_P(Roles, DrainOfRoleTest, ::testing::Values("shard", "coordinator"),
                         [](const auto& info) { return info.param; });

TEST_F(DrainTest, RefusesWhatComesRatherThanCutItOff) {
  Server server({"--shards=1", "--drain-timeout=2s"});
  // Without the client's library, which knows what a call that was cut off means.
  const auto stub = v1::Contexts::NewStub(
      grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials()));
  const Callers callers(
      [&] {
        grpc::ClientContext call;
        v1::ListContextsReply reply;
        const grpc::Status status = stub->ListContexts(&call, {}, &reply);
        const absl::Status answer = wire::FromGrpc(status);
        EXPECT_TRUE(answer.ok() || ErrorReason(answer) == "DRAINING") << answer;
        return answer;
      },
      /*go_on_after_failure=*/false);
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(kInTime), 0) << server.process().Err();
}

TEST_F(DrainTest, AnIdleDecodeEndsAsUnavailable) {
  Server server({"--shards=1", kLongDrain});
  client::Client client(server.address());
  const client::Context context = trial_.Load(client, 1000);
  const auto stub = v1::Retrieval::NewStub(
      grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext call;
  call.set_deadline(absl::ToChronoTime(absl::Now() + kInTime));
  const auto stream = stub->Decode(&call);
  v1::DecodeRequest step;
  step.set_step_id(7);
  v1::DecodeReply reply;
  ASSERT_TRUE(stream->Write(step));
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.step_id(), 7u);
  server.process().Signal(SIGTERM);
  EXPECT_FALSE(stream->Read(&reply));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_NE(status.error_message().find("is stopping"), std::string::npos)
      << status.error_message();
  EXPECT_EQ(server.process().Wait(kInTime), 0) << server.process().Err();
}

TEST_F(DrainTest, ATermSignalBeforeItServesEndsItAtOnce) {
  const TempDir dir;
  // Opening the directory waits for somebody to write, and then for what they write.
  const std::string blocked = dir.File("data/shard-0/ACKNOWLEDGED");
  std::filesystem::create_directories(dir.File("data/shard-0"));
  ASSERT_EQ(mkfifo(blocked.c_str(), 0600), 0);
  Process process("winnowd",
                  {"--shards=1", "--listen=127.0.0.1:0", "--data-dir=" + dir.File("data")});
  const std::ofstream writer(blocked);  // until it is being opened
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kInTime), 0) << process.Err();
}

}  // namespace
}  // namespace winnow::testing
