// winnowd as an operator meets it: flags, environment, configuration, signals, health, reflection.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"

namespace winnow::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kUsage = 2;

// Runs to the end and gives back what it said on stderr.
std::string Refused(int code, const std::vector<std::string>& args,
                    const std::map<std::string, std::string>& env = {}) {
  Process process("winnowd", args, env);
  EXPECT_EQ(process.Wait(), code) << process.Err();
  return process.Err();
}

// A protobuf string field.
std::string Field(int number, const std::string& value) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(value.size())} + value;
}

// The first answer of a method whose messages are not compiled in: one message there, one back.
std::string RawCall(const Server& server, const std::string& method, const std::string& request) {
  grpc::GenericStub stub(grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const grpc::Slice slice(request);
  const grpc::ByteBuffer message(&slice, 1);
  const auto stream = stub.PrepareCall(&context, method, &queue);
  grpc::ByteBuffer reply;
  grpc::Status status;
  stream->StartCall(nullptr);
  EXPECT_TRUE(next());
  stream->Write(message, nullptr);
  EXPECT_TRUE(next());
  stream->WritesDone(nullptr);
  next();
  stream->Read(&reply, nullptr);
  EXPECT_TRUE(next()) << method;
  stream->Finish(&status, nullptr);
  next();
  EXPECT_TRUE(status.ok()) << method << ": " << status.error_message();
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (reply.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices)
      bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return bytes;
}

TEST(WinnowdTest, HelpAndVersion) {
  for (const char* flag : {"--help", "--version"}) {
    Process process("winnowd", {flag});
    EXPECT_EQ(process.Wait(), 0);
    EXPECT_THAT(process.Out(),
                HasSubstr(flag == std::string("--help") ? "--listen" : "winnowd 0."));
  }
}

TEST(WinnowdTest, BadFlagsNameTheValueAndTheLimit) {
  EXPECT_THAT(Refused(kUsage, {"--shards=0"}),
              AllOf(HasSubstr("--shards is '0'"), HasSubstr("1..")));
  EXPECT_THAT(Refused(kUsage, {"--role=king"}),
              AllOf(HasSubstr("'king'"), HasSubstr("standalone")));
  EXPECT_THAT(Refused(kUsage, {"--listen=nowhere"}), HasSubstr("'nowhere'"));
  EXPECT_THAT(Refused(kUsage, {"--max-message=1"}), HasSubstr("--max-message is '1'"));
  EXPECT_THAT(Refused(kUsage, {"--selection-ttl=soon"}), HasSubstr("'soon'"));
  EXPECT_THAT(Refused(kUsage, {"--kernels=abacus"}), HasSubstr("'abacus'"));
  EXPECT_THAT(Refused(kUsage, {"--device=tpu"}), AllOf(HasSubstr("'tpu'"), HasSubstr("cuda:N")));
  EXPECT_THAT(Refused(kUsage, {"--device=cuda:x"}), HasSubstr("'cuda:x'"));
  EXPECT_THAT(Refused(kUsage, {"--role=coordinator"}), HasSubstr("--shard-address"));
  EXPECT_THAT(Refused(kUsage, {"--no-such-flag"}), HasSubstr("no-such-flag"));
}

TEST(WinnowdTest, EnvironmentAndFileAreCheckedAsFlagsAre) {
  EXPECT_THAT(Refused(kUsage, {}, {{"WINNOW_SHARDS", "many"}}), HasSubstr("'many'"));
  const TempDir dir;
  EXPECT_THAT(Refused(kUsage, {"--config=" + dir.Write("bad", "shards=-1\n")}), HasSubstr("'-1'"));
  EXPECT_THAT(Refused(kUsage, {"--config=" + dir.Write("unknown", "shrads=2\n")}),
              HasSubstr("shrads"));
  EXPECT_THAT(Refused(kUsage, {"--config=" + dir.File("absent")}), HasSubstr("absent"));
}

TEST(WinnowdTest, AFlagWinsOverTheFile) {
  const TempDir dir;
  Server server({"--shards=3", "--config=" + dir.Write("config", "shards=2\nlog-format=json\n")});
  client::Client client(server.address());
  auto shards = client.ListShards();
  ASSERT_TRUE(shards.ok()) << shards.status();
  EXPECT_EQ(shards->size(), 3u);
  EXPECT_THAT(server.process().Err(), HasSubstr("{\"")) << "the file's log format was not taken";
}

TEST(WinnowdTest, RunsOnANumaNode) {
  if (!std::filesystem::exists("/sys/devices/system/node/node0")) {
    GTEST_SKIP() << "this system knows of no NUMA nodes";
  }
  Server server({"--numa=0"});
  client::Client client(server.address());
  EXPECT_TRUE(client.ListShards().ok());
  EXPECT_THAT(server.process().Err(), HasSubstr("numa=\"node 0\""));
  EXPECT_THAT(server.process().NumaMaps(), HasSubstr(" prefer"));
}

TEST(WinnowdTest, AutoServesWithOrWithoutAGpu) {
  Server server({"--device=auto"});
  client::Client client(server.address());
  auto shards = client.ListShards();
  ASSERT_TRUE(shards.ok()) << shards.status();
  EXPECT_NE(shards->front().kernels, "");
}

TEST(WinnowdTest, AGpuThatIsNotThereIsAnError) {
  // No machine has sixty-four.
  EXPECT_THAT(Refused(1, {"--device=cuda:63"}), HasSubstr("cuda:63"));
}

TEST(WinnowdTest, APortFileThatCannotBeWrittenIsAnError) {
  EXPECT_THAT(Refused(1, {"--listen=127.0.0.1:0", "--port-file=/nowhere/port"}),
              AllOf(HasSubstr("/nowhere/port"), HasSubstr("No such file or directory")));
}

TEST(WinnowdTest, APortInUseIsAnError) {
  Server server({});
  EXPECT_THAT(Refused(1, {"--listen=" + server.address()}),
              AllOf(HasSubstr(server.address()), HasSubstr("in use")));
}

TEST(WinnowdTest, TermAndInterruptEndItInOrder) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Server server({});
    server.process().Signal(signal);
    EXPECT_EQ(server.process().Wait(), 0) << server.process().Err();
  }
}

TEST(WinnowdTest, HealthIsServed) {
  Server server({});
  for (const std::string service :
       {"", "winnow.v1.Retrieval", "winnow.v1.Contexts", "winnow.v1.Admin"}) {
    // HealthCheckRequest { string service = 1; }
    const std::string request = service.empty() ? "" : Field(1, service);
    // HealthCheckResponse { ServingStatus status = 1; } with SERVING = 1
    EXPECT_EQ(RawCall(server, "/grpc.health.v1.Health/Check", request), "\x08\x01") << service;
  }
}

TEST(WinnowdTest, ReflectionListsTheServices) {
  Server server({});
  // ServerReflectionRequest { string list_services = 7; }
  const std::string names = RawCall(
      server, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Field(7, "*"));
  for (const char* service : {"winnow.v1.Contexts", "winnow.v1.Retrieval", "winnow.v1.Admin"}) {
    EXPECT_THAT(names, HasSubstr(service));
  }
}

}  // namespace
}  // namespace winnow::testing
