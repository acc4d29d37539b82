// A shard with more work than threads still answers pings, and queries beside slow appends.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "kernels/backend.h"
#include "services/shard/compute.h"
#include "services/shard/shard.h"
#include "services/winnowd/executor.h"
#include "services/winnowd/remote_shard_channel.h"
#include "services/winnowd/shard_service.h"

namespace winnow {
namespace {

// Requests of one stream to a shard whose threads may be busy.
class BusyShardTest : public ::testing::Test {
 protected:
  BusyShardTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
    stub_ = v1::Shard::NewStub(grpc::CreateChannel(address_, grpc::InsecureChannelCredentials()));
    context_.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    stream_ = stub_->Exchange(&context_);
  }
  ~BusyShardTest() override {
    stream_->WritesDone();
    stream_->Finish();
  }

  void Occupy(Executor* executor) {
    executor->Submit([this] { work_is_over_.WaitForNotification(); });
  }
  void Send(uint64_t id, v1::ShardRequest request) {
    request.set_shards(1);
    request.set_timeout_us(absl::ToInt64Microseconds(absl::Seconds(20)));
    request.set_request_id(id);
    ASSERT_TRUE(stream_->Write(request));
  }
  // The id of the request that is answered next.
  uint64_t Answered() {
    v1::ShardReply reply;
    return stream_->Read(&reply) ? reply.request_id() : 0;
  }

  kernels::WorkerPool pool_{1};
  shard::CpuCompute compute_{kernels::ChooseBackend(), &pool_};
  const std::unique_ptr<shard::Shard> shard_ = shard::Shard::Open({}, &compute_).value();
  absl::Notification work_is_over_;
  Executor queries_{/*threads=*/1, /*max_queued=*/8};
  Executor changes_{/*threads=*/1, /*max_queued=*/8};
  Streams streams_;
  ShardService service_{shard_.get(), "", &queries_, &changes_, &streams_, absl::Seconds(60)};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::unique_ptr<v1::Shard::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ShardRequest, v1::ShardReply>> stream_;
};

v1::ShardRequest List() {
  v1::ShardRequest request;
  request.mutable_list_contexts();
  return request;
}

v1::ShardRequest Delete() {
  v1::ShardRequest request;
  request.mutable_delete_context();
  return request;
}

v1::ShardRequest Ping() {
  v1::ShardRequest request;
  request.mutable_ping();
  return request;
}

TEST_F(BusyShardTest, APingDoesNotWaitForAThread) {
  Occupy(&queries_);
  Occupy(&changes_);
  Send(1, List());
  Send(2, Delete());
  Send(3, Ping());
  EXPECT_EQ(Answered(), 3u);
  work_is_over_.Notify();
  EXPECT_EQ(Answered() + Answered(), 3u);
}

TEST_F(BusyShardTest, AQueryDoesNotWaitForWhatWaitsForTheDisk) {
  Occupy(&changes_);
  Send(1, Delete());
  Send(2, List());
  EXPECT_EQ(Answered(), 2u);
  work_is_over_.Notify();
  EXPECT_EQ(Answered(), 1u);
}

TEST_F(BusyShardTest, NothingElseOfACoordinatorWaitsBehindMoreChangesThanAreTaken) {
  constexpr int kChanges = 20;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  RemoteShardChannel channel({.address = address_, .shards = 1});
  Occupy(&changes_);
  absl::BlockingCounter changed(kChanges);
  for (int i = 0; i < kChanges; ++i) {
    channel.Start(shard::DeleteContext{.context_id = "t/a"}, deadline,
                  [&changed](const auto&) { changed.DecrementCount(); });
  }
  for (const shard::Call& call : {shard::Call(shard::Ping{}), shard::Call(shard::ListTenants{})}) {
    absl::Notification answered;
    channel.Start(call, deadline, [&answered](const auto& result) {
      EXPECT_TRUE(result.ok()) << result.status();
      answered.Notify();
    });
    answered.WaitForNotification();
  }
  work_is_over_.Notify();
  changed.Wait();
}

}  // namespace
}  // namespace winnow
