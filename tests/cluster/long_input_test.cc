// Inputs at a limit or past it: the call that has one ends with an error of its own, and no other.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "services/wire/status.h"
#include "storage/error.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"
#include "winnow/v1/contexts.grpc.pb.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow::testing {
namespace {

constexpr int kEntries = 500;

std::string Bytes(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

absl::Status Append(const std::string& address, const v1::AppendEntriesRequest& request) {
  const auto stub =
      v1::Contexts::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  v1::AppendEntriesReply reply;
  return wire::FromGrpc(stub->AppendEntries(&context, request, &reply));
}

TEST(LongInputTest, AnIdThatIsTooLongIsRefusedWithItsReason) {
  Server server({"--shards=1"});
  client::Client client(server.address());
  const Profile profile = SmallProfile();
  ASSERT_TRUE(client.RegisterProfile(profile).ok());
  const absl::Status refused =
      client.CreateContext(Fingerprint(profile), std::string(5000, 'x')).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  EXPECT_EQ(ErrorReason(refused), "BAD_FIELD") << refused;
  EXPECT_EQ(ErrorFacts(refused)["field"], "context_id") << refused;
  v1::AppendEntriesRequest append;
  append.set_context_id(std::string(5000, 'x'));
  EXPECT_EQ(ErrorReason(Append(server.address(), append)), "BAD_FIELD");
}

TEST(LongInputTest, AMessageThatCannotBeParsedLooksLikeTheEndOfAStreamOfAppends) {
  Server server({"--shards=1"});
  client::Client client(server.address());
  const Trial trial(SmallProfile(), 20, kernels::TestSeed());
  ASSERT_TRUE(client.CreateContext(*client.RegisterProfile(trial.profile()), "c").ok());
  const client::LayerEntries entries = trial.Entries(0, 10);
  v1::AppendEntriesRequest request;
  request.set_context_id("c");
  request.set_count(10);
  v1::LayerEntries* layer = request.add_layers();
  layer->set_index_keys(Bytes(entries.index_keys));
  layer->set_kv_rows(Bytes(entries.kv_rows));
  const auto stub = v1::Contexts::NewStub(
      grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  v1::AppendEntriesReply reply;
  const auto writer = stub->AppendStream(&context, &reply);
  ASSERT_TRUE(writer->Write(request));
  request.set_start_position(10);
  request.set_tenant("\xff");
  writer->Write(request);
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply.end_position(), 10u) << "what tells that the last message is not stored";
}

TEST(LongInputTest, ARequestThatCannotBeParsedEndsTheStreamToAShard) {
  Server shard({"--role=shard", "--threads=1"});
  const auto stub =
      v1::Shard::NewStub(grpc::CreateChannel(shard.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  const auto stream = stub->Exchange(&context);
  v1::ShardRequest request;
  request.set_shards(1);
  request.mutable_ping();
  ASSERT_TRUE(stream->Write(request));
  request.mutable_describe()->set_context_id("\xff");
  stream->Write(request);
  v1::ShardReply reply;
  EXPECT_TRUE(stream->Read(&reply)) << "what came before is answered";
  EXPECT_FALSE(stream->Read(&reply));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(LongInputTest, AMessageAtTheLimitReachesItsShard) {
  const Trial trial(SmallProfile(), kEntries, kernels::TestSeed());
  v1::AppendEntriesRequest request;
  request.set_tenant("default");
  request.set_context_id("exact");
  request.set_count(kEntries);
  const client::LayerEntries entries = trial.Entries(0, kEntries);
  v1::LayerEntries* layer = request.add_layers();
  layer->set_index_keys(Bytes(entries.index_keys));
  layer->set_kv_rows(Bytes(entries.kv_rows));
  const std::string limit = absl::StrCat("--max-message=", request.ByteSizeLong());

  Server shard({"--role=shard", "--threads=1", limit});
  Server coordinator({"--role=coordinator", "--shard-address=" + shard.address(), limit});
  client::Client client(coordinator.address());
  ASSERT_TRUE(client.RegisterProfile(trial.profile()).ok());
  auto context = client.CreateContext(Fingerprint(trial.profile()), "exact");
  ASSERT_TRUE(context.ok()) << context.status();
  const absl::Status appended = Append(coordinator.address(), request);
  EXPECT_TRUE(appended.ok()) << appended;
  auto info = context->Describe();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->entries, uint64_t{kEntries});
}

TEST(LongInputTest, AQueryOfEveryStripeThereCanBeReachesItsShard) {
  Trial trial(SmallProfile(), kEntries, kernels::TestSeed());
  const std::string limit = "--max-message=64KiB";
  Server shard({"--role=shard", "--threads=1", limit});
  Server coordinator({"--role=coordinator", "--shard-address=" + shard.address(), limit});
  client::Client client(coordinator.address());
  const client::Context context = trial.Load(client, /*chunk=*/25);
  const TrialQuery query = trial.Query({uint64_t{1} << 31});
  const absl::Status refused = context.Select(0, query.Index()).status();
  EXPECT_EQ(ErrorReason(refused), "VISIBLE_OUT_OF_RANGE") << refused;
}

}  // namespace
}  // namespace winnow::testing
