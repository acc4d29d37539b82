#include "tests/client/fake_service.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/winnowctl/demo/induction_profile.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "kernels/candidate.h"
#include "services/wire/bytes.h"
#include "services/wire/profile.h"

namespace winnow::ctl {
namespace {

constexpr size_t kDim = 128;
constexpr size_t kHeads = 4;

// The demo's codes are +1, -1 and 0 only.
int Value(char e4m3) { return e4m3 == 0x38 ? 1 : e4m3 == '\xb8' ? -1 : 0; }

float Score(const v1::IndexQuery& query, const std::string& key) {
  float weights[kHeads];
  std::memcpy(weights, query.weights().data(), sizeof weights);
  float score = 0;
  for (size_t head = 0; head < kHeads; ++head) {
    int dot = 0;
    for (size_t d = 0; d < kDim; ++d) {
      dot += Value(query.queries()[head * kDim + d]) * Value(key[d]);
    }
    score += weights[head] * static_cast<float>(std::max(0, dot));
  }
  return score;
}

}  // namespace

class FakeService::Contexts final : public v1::Contexts::Service {
 public:
  explicit Contexts(FakeService* service) : service_(service) {}

  grpc::Status RegisterProfile(grpc::ServerContext*, const v1::RegisterProfileRequest*,
                               v1::RegisterProfileReply*) override {
    return grpc::Status::OK;
  }
  grpc::Status CreateContext(grpc::ServerContext*, const v1::CreateContextRequest* request,
                             v1::CreateContextReply* reply) override {
    absl::MutexLock lock(&service_->mu_);
    reply->set_context_id(request->context_id());
    service_->contexts_[request->context_id()];
    return grpc::Status::OK;
  }
  grpc::Status RenewLease(grpc::ServerContext*, const v1::RenewLeaseRequest*,
                          v1::RenewLeaseReply*) override {
    absl::MutexLock lock(&service_->mu_);
    ++service_->renewals_;
    return grpc::Status::OK;
  }
  grpc::Status DescribeContext(grpc::ServerContext*, const v1::DescribeContextRequest*,
                               v1::DescribeContextReply* reply) override {
    *reply->mutable_profile() = wire::FromProfile(InductionProfile());
    return grpc::Status::OK;
  }
  grpc::Status AppendEntries(grpc::ServerContext*, const v1::AppendEntriesRequest* request,
                             v1::AppendEntriesReply* reply) override {
    return service_->Append(*request, reply);
  }
  grpc::Status ForkContext(grpc::ServerContext*, const v1::ForkContextRequest* request,
                           v1::ForkContextReply* reply) override {
    absl::MutexLock lock(&service_->mu_);
    reply->set_context_id(request->context_id());
    auto& fork = service_->contexts_[request->context_id()];
    fork = service_->contexts_[request->parent_context_id()];
    fork.resize(request->entries());
    return grpc::Status::OK;
  }
  grpc::Status DeleteContext(grpc::ServerContext*, const v1::DeleteContextRequest* request,
                             v1::DeleteContextReply*) override {
    absl::MutexLock lock(&service_->mu_);
    service_->contexts_.erase(request->context_id());
    return grpc::Status::OK;
  }

 private:
  FakeService* const service_;
};

class FakeService::Retrieval final : public v1::Retrieval::Service {
 public:
  explicit Retrieval(FakeService* service) : service_(service) {}

  grpc::Status Decode(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::DecodeReply, v1::DecodeRequest>* stream) override {
    for (v1::DecodeRequest request; stream->Read(&request);) {
      v1::DecodeReply reply;
      reply.set_step_id(request.step_id());
      const grpc::Status appended = service_->Append(request.append(), reply.mutable_append());
      if (!appended.ok()) return appended;
      service_->Attend(request.attend(), reply.mutable_attend());
      absl::MutexLock lock(&service_->mu_);
      if (service_->lie_) service_->lie_(service_->answers_, &reply);
      ++service_->answers_;
      stream->Write(reply);
    }
    return grpc::Status::OK;
  }

 private:
  FakeService* const service_;
};

FakeService::FakeService(Lie lie)
    : lie_(std::move(lie)),
      contexts_({{"text", {}}}),
      contexts_service_(std::make_unique<Contexts>(this)),
      retrieval_service_(std::make_unique<Retrieval>(this)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(contexts_service_.get());
  builder.RegisterService(retrieval_service_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeService::~FakeService() { server_->Shutdown(std::chrono::system_clock::now()); }

std::vector<std::string> FakeService::contexts() {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> ids;
  for (const auto& [id, entries] : contexts_) ids.push_back(id);
  return ids;
}

int FakeService::renewals() {
  absl::MutexLock lock(&mu_);
  return renewals_;
}

size_t FakeService::entries(const std::string& context_id) {
  absl::MutexLock lock(&mu_);
  return contexts_[context_id].size();
}

grpc::Status FakeService::Append(const v1::AppendEntriesRequest& request,
                                 v1::AppendEntriesReply* reply) {
  const size_t key_bytes = InductionProfile().key_bytes(),
               row_bytes = InductionProfile().row_bytes();
  absl::MutexLock lock(&mu_);
  auto& entries = contexts_[request.context_id()];
  if (request.start_position() != entries.size() || request.layers_size() != 1 ||
      request.layers(0).index_keys().size() != request.count() * key_bytes ||
      request.layers(0).kv_rows().size() != request.count() * row_bytes) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "not the entries that follow"};
  }
  for (uint32_t i = 0; i < request.count(); ++i) {
    entries.push_back({request.layers(0).index_keys().substr(i * key_bytes, key_bytes),
                       request.layers(0).kv_rows().substr(i * row_bytes, row_bytes)});
  }
  reply->set_end_position(entries.size());
  reply->set_entries_written(request.count());
  return grpc::Status::OK;
}

void FakeService::Attend(const v1::AttendRequest& request, v1::AttendReply* reply) {
  absl::MutexLock lock(&mu_);
  const std::vector<Entry>& entries = contexts_[request.context_id()];
  const uint64_t visible = request.index_query().visible_entries(0);
  std::vector<kernels::Candidate> best;
  for (uint32_t p = 0; p < visible; ++p) {
    best.push_back({Score(request.index_query(), entries[p].key), p});
  }
  std::sort(best.begin(), best.end(), kernels::Better);
  const size_t top_k = static_cast<size_t>(InductionProfile().top_k);
  best.resize(std::min(best.size(), top_k));
  std::vector<int32_t> positions(top_k, -1);
  std::vector<float> scores(top_k, -std::numeric_limits<float>::infinity());
  for (size_t i = 0; i < best.size(); ++i) {
    positions[i] = static_cast<int32_t>(best[i].position);
    scores[i] = best[i].score;
  }
  std::vector<float> output(512, 0.0f);
  output[entries[best[0].position].row.find('\x38')] = 1;
  wire::SetBytes<int32_t>(positions, reply->mutable_selection()->mutable_positions());
  wire::SetBytes<float>(scores, reply->mutable_selection()->mutable_scores());
  wire::SetBytes<float>(output, reply->mutable_outputs());
  reply->mutable_selection()->set_rows(1);
  reply->mutable_selection()->set_top_k(static_cast<uint32_t>(top_k));
  reply->mutable_stats()->set_entries_scanned(visible);
}

}  // namespace winnow::ctl
