// How the client makes and deletes contexts where the service fails in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/winnowctl/demo/induction_profile.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "services/wire/profile.h"
#include "services/wire/status.h"
#include "storage/error.h"
#include "winnow/client.h"
#include "winnow/v1/contexts.grpc.pb.h"

namespace winnow::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

// gRPC rounds a timeout to one that is 3 % away and was sent before, so what is compared is more.
const ClientOptions kShort = {.timeout = absl::Seconds(2)};
constexpr absl::Duration kLate = absl::Milliseconds(300);

absl::Status Unknown() {
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_CONTEXT", "no such context");
}

// Notes what is asked and when that must be answered. Describes and deletes as it is told, attempt
// by attempt, and then with OK.
class NotingService final : public v1::Contexts::Service {
 public:
  NotingService() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~NotingService() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  std::vector<std::string> created() { return Read(created_); }
  std::vector<std::string> deleted() { return Read(deleted_); }
  std::vector<absl::Time> deadlines() { return Read(deadlines_); }

  std::vector<absl::Status> describe_with;
  std::vector<absl::Status> fork_with;
  std::vector<absl::Status> delete_with;

 private:
  template <typename T>
  std::vector<T> Read(const std::vector<T>& noted) {
    absl::MutexLock lock(&mu_);
    return noted;
  }
  void NoteDeadline(const grpc::ServerContext& context) {
    deadlines_.push_back(absl::FromChrono(context.deadline()));
  }
  static grpc::Status Next(std::vector<absl::Status>* script) {
    if (script->empty()) return grpc::Status::OK;
    const absl::Status next = script->front();
    script->erase(script->begin());
    return wire::ToGrpc(next);
  }

  grpc::Status CreateContext(grpc::ServerContext* context, const v1::CreateContextRequest* request,
                             v1::CreateContextReply* reply) override {
    absl::MutexLock lock(&mu_);
    NoteDeadline(*context);
    created_.push_back(request->context_id());
    reply->set_context_id(request->context_id());
    absl::SleepFor(kLate);
    return grpc::Status::OK;
  }
  grpc::Status ForkContext(grpc::ServerContext*, const v1::ForkContextRequest* request,
                           v1::ForkContextReply*) override {
    absl::MutexLock lock(&mu_);
    created_.push_back(request->context_id());
    return Next(&fork_with);
  }
  grpc::Status DescribeContext(grpc::ServerContext* context, const v1::DescribeContextRequest*,
                               v1::DescribeContextReply* reply) override {
    absl::MutexLock lock(&mu_);
    NoteDeadline(*context);
    *reply->mutable_profile() = wire::FromProfile(ctl::InductionProfile());
    return Next(&describe_with);
  }
  grpc::Status ListContexts(grpc::ServerContext* context, const v1::ListContextsRequest* request,
                            v1::ListContextsReply* reply) override {
    absl::MutexLock lock(&mu_);
    NoteDeadline(*context);
    absl::SleepFor(kLate);
    if (request->after().empty()) reply->set_next("a");
    return grpc::Status::OK;
  }
  grpc::Status DeleteContext(grpc::ServerContext*, const v1::DeleteContextRequest* request,
                             v1::DeleteContextReply*) override {
    absl::MutexLock lock(&mu_);
    deleted_.push_back(request->context_id());
    return Next(&delete_with);
  }

  absl::Mutex mu_;
  std::vector<std::string> created_;
  std::vector<std::string> deleted_;
  std::vector<absl::Time> deadlines_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// Of calls that began kLate apart.
void ExpectOneDeadline(const std::vector<absl::Time>& deadlines) {
  ASSERT_EQ(deadlines.size(), 2u);
  EXPECT_LT(absl::AbsDuration(deadlines[1] - deadlines[0]), kLate / 2);
}

TEST(ContextLife, AnIdThatNobodyGaveIsDrawnByTheClient) {
  NotingService service;
  const auto context = Client(service.address(), kShort).CreateContext("fingerprint");
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_THAT(context->id(), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(service.created(), ElementsAre(context->id()));
  EXPECT_THAT(service.deleted(), IsEmpty());
  ExpectOneDeadline(service.deadlines());
}

TEST(ContextLife, WhatNobodyCouldNameIsDeletedAgain) {
  NotingService service;
  service.describe_with = {absl::InternalError("no luck")};
  EXPECT_TRUE(absl::IsInternal(Client(service.address()).CreateContext("fingerprint").status()));
  EXPECT_EQ(service.deleted(), service.created());
}

TEST(ContextLife, WhatTheCallerCanNameIsKept) {
  NotingService service;
  service.describe_with = {absl::InternalError("no luck")};
  Client client(service.address());
  EXPECT_TRUE(absl::IsInternal(client.CreateContext("fingerprint", "book").status()));
  EXPECT_THAT(service.created(), ElementsAre("book"));
  EXPECT_THAT(service.deleted(), IsEmpty());
}

TEST(ContextLife, AForkThatFailsLeavesNothingUnnamed) {
  NotingService service;
  service.fork_with = {absl::InternalError("no luck"), absl::InternalError("no luck"),
                       absl::OkStatus()};
  std::string id;
  {
    Client client(service.address());
    const Context context = client.OpenContext("book").value();
    EXPECT_FALSE(context.Fork(0).ok());
    EXPECT_FALSE(context.Fork(0, "page").ok());
    id = context.Fork(0).value().id();
  }
  ASSERT_EQ(service.created().size(), 3u);
  EXPECT_THAT(service.deleted(), ElementsAre(service.created()[0]));
  EXPECT_EQ(id, service.created()[2]);
}

TEST(ContextLife, ADeletionWhoseReplyWasLostIsDone) {
  NotingService service;
  Client client(service.address());
  const Context context = client.OpenContext("book").value();
  service.delete_with = {absl::UnavailableError("cut off"), Unknown()};
  EXPECT_TRUE(context.Delete().ok());
  service.delete_with = {absl::UnavailableError("cut off"), Unknown()};
  EXPECT_TRUE(client.DeleteContext("book").ok());
  service.delete_with = {Unknown()};
  EXPECT_TRUE(absl::IsNotFound(client.DeleteContext("book")));
}

TEST(ContextLife, AListIsOneCallToItsCaller) {
  NotingService service;
  ASSERT_TRUE(Client(service.address(), kShort).ListContexts().ok());
  ExpectOneDeadline(service.deadlines());
}

}  // namespace
}  // namespace winnow::client
