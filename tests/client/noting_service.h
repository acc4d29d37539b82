#ifndef WINNOW_TESTS_CLIENT_NOTING_SERVICE_H_
#define WINNOW_TESTS_CLIENT_NOTING_SERVICE_H_

#include <memory>
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
#include "winnow/v1/contexts.grpc.pb.h"

namespace winnow::client {

// Notes what is asked and when that must be answered. Describes and deletes as it is told, attempt
// by attempt, and then with OK.
class NotingService final : public v1::Contexts::Service {
 public:
  // How long it takes to create a context, and for a page of a list.
  static constexpr absl::Duration kLate = absl::Milliseconds(300);

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

}  // namespace winnow::client

#endif  // WINNOW_TESTS_CLIENT_NOTING_SERVICE_H_
