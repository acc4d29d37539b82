#include "tests/cluster/scripted_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "services/wire/profile.h"
#include "services/wire/status.h"
#include "tests/cluster/trial.h"
#include "winnow/v1/admin.grpc.pb.h"
#include "winnow/v1/contexts.grpc.pb.h"

namespace winnow::testing {

class ScriptedService::Contexts final : public v1::Contexts::Service {
 public:
  explicit Contexts(std::map<std::string, ScriptedContext> contexts)
      : contexts_(std::move(contexts)) {}

  grpc::Status ListContexts(grpc::ServerContext*, const v1::ListContextsRequest*,
                            v1::ListContextsReply* reply) override {
    for (const auto& [id, context] : contexts_) reply->add_contexts()->set_context_id(id);
    return grpc::Status::OK;
  }
  grpc::Status DescribeContext(grpc::ServerContext*, const v1::DescribeContextRequest* request,
                               v1::DescribeContextReply* reply) override {
    *reply->mutable_profile() = wire::FromProfile(SmallProfile());
    return wire::ToGrpc(context(request->context_id()).open);
  }

  const ScriptedContext& context(const std::string& id) const { return contexts_.at(id); }

 private:
  const std::map<std::string, ScriptedContext> contexts_;
};

class ScriptedService::Admin final : public v1::Admin::Service {
 public:
  explicit Admin(const Contexts& contexts) : contexts_(contexts) {}

  grpc::Status ListTenants(grpc::ServerContext*, const v1::ListTenantsRequest*,
                           v1::ListTenantsReply* reply) override {
    reply->add_tenants("default");
    return grpc::Status::OK;
  }
  grpc::Status VerifyContext(grpc::ServerContext*, const v1::TierRequest* request,
                             v1::TierReply* reply) override {
    const ScriptedContext& context = contexts_.context(request->context_id());
    if (request->first_stripe() > 0) return wire::ToGrpc(context.after);
    reply->mutable_corrupt()->Assign(context.corrupt.begin(), context.corrupt.end());
    reply->set_next_stripe(1);
    reply->set_total_stripes(2);
    return grpc::Status::OK;
  }
  grpc::Status SaveSnapshot(grpc::ServerContext*, const v1::SnapshotRequest* request,
                            v1::SnapshotReply*) override {
    return wire::ToGrpc(contexts_.context(request->context_id()).after);
  }

 private:
  const Contexts& contexts_;
};

ScriptedService::ScriptedService(std::map<std::string, ScriptedContext> contexts)
    : contexts_(std::make_unique<Contexts>(std::move(contexts))),
      admin_(std::make_unique<Admin>(*contexts_)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(contexts_.get());
  builder.RegisterService(admin_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

ScriptedService::~ScriptedService() { server_->Shutdown(std::chrono::system_clock::now()); }

}  // namespace winnow::testing
