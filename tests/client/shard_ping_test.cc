// A shard with more work than threads still answers pings.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "kernels/backend.h"
#include "services/shard/compute.h"
#include "services/shard/shard.h"
#include "services/winnowd/executor.h"
#include "services/winnowd/shard_service.h"

namespace winnow {
namespace {

TEST(ShardPing, DoesNotWaitForAThread) {
  kernels::WorkerPool pool(1);
  shard::CpuCompute compute(kernels::ChooseBackend(), &pool);
  const std::unique_ptr<shard::Shard> shard = shard::Shard::Open({}, &compute).value();
  absl::Notification work_is_over;
  Executor executor(/*threads=*/1, /*max_queued=*/8);
  executor.Submit([&work_is_over] { work_is_over.WaitForNotification(); });
  Streams streams;
  ShardService service(shard.get(), "", &executor, &streams, absl::Seconds(60));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto stub = v1::Shard::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  const auto stream = stub->Exchange(&context);
  v1::ShardRequest request;
  request.set_shards(1);
  request.set_timeout_us(absl::ToInt64Microseconds(absl::Seconds(20)));
  request.set_request_id(1);
  request.mutable_list_contexts();
  ASSERT_TRUE(stream->Write(request));
  request.set_request_id(2);
  request.mutable_ping();
  ASSERT_TRUE(stream->Write(request));
  v1::ShardReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.request_id(), 2u);
  EXPECT_EQ(reply.code(), 0) << reply.message();
  work_is_over.Notify();
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.request_id(), 1u);
  stream->WritesDone();
  stream->Finish();
}

}  // namespace
}  // namespace winnow
