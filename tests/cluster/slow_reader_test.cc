// A coordinator that reads no replies, as one that was stopped does: it waits alone.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/cluster/process.h"
#include "tests/cluster/trial.h"
#include "winnow/v1/shard.grpc.pb.h"

namespace winnow::testing {
namespace {

constexpr int kLayers = 256;
constexpr int kContexts = 50;
// More than a shard answers at once, and than it keeps for one that does not read.
constexpr uint64_t kRequests = 400;
constexpr uint64_t kOthersRequests = 200;
constexpr absl::Duration kInTime = absl::Seconds(60);

// Everything it holds: tens of kilobytes.
v1::ShardRequest ListAll(uint64_t id) {
  v1::ShardRequest request;
  request.set_request_id(id);
  request.set_timeout_us(static_cast<uint64_t>(absl::ToInt64Microseconds(kInTime)));
  request.set_epoch(1);
  request.set_shard(0);
  request.set_shards(1);
  request.mutable_list_contexts()->set_tenant("default");
  request.mutable_list_contexts()->set_limit(kContexts);
  return request;
}

// A coordinator's stream on a connection of its own.
class Coordinator {
 public:
  explicit Coordinator(const std::string& address) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // The transport's window stays small, whatever it measures.
    args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stub_ = v1::Shard::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args));
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kInTime));
    stream_ = stub_->Exchange(&context_);
  }
  ~Coordinator() { context_.TryCancel(); }

  grpc::ClientReaderWriter<v1::ShardRequest, v1::ShardReply>& stream() { return *stream_; }

 private:
  std::unique_ptr<v1::Shard::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ShardRequest, v1::ShardReply>> stream_;
};

TEST(SlowReaderTest, OthersAreAnsweredMeanwhileAndNoReplyIsLost) {
  Service service = Service::Processes(1);
  client::Client client(service.address());
  Profile profile = SmallProfile();
  profile.layers.assign(kLayers, LayerKind::kOwn);
  ASSERT_TRUE(client.RegisterProfile(profile).ok());
  for (int i = 0; i < kContexts; ++i) {
    auto context = client.CreateContext(Fingerprint(profile), absl::StrCat("c", i));
    ASSERT_TRUE(context.ok()) << context.status();
  }

  Coordinator slow(service.shard_addresses()[0]);
  for (uint64_t id = 1; id <= kRequests; ++id) ASSERT_TRUE(slow.stream().Write(ListAll(id)));

  Coordinator other(service.shard_addresses()[0]);
  v1::ShardReply reply;
  for (uint64_t id = 1; id <= kOthersRequests; ++id) {
    ASSERT_TRUE(other.stream().Write(ListAll(id)));
    ASSERT_TRUE(other.stream().Read(&reply)) << "after " << id - 1 << " answers";
    EXPECT_EQ(reply.request_id(), id);
  }

  std::set<uint64_t> answered;
  while (answered.size() < kRequests && slow.stream().Read(&reply)) {
    EXPECT_EQ(reply.code(), 0) << reply.message();
    EXPECT_EQ(reply.list_contexts().contexts_size(), kContexts);
    answered.insert(reply.request_id());
  }
  EXPECT_EQ(answered.size(), kRequests);
}

}  // namespace
}  // namespace winnow::testing
