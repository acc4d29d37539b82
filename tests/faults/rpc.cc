#include "tests/faults/rpc.h"

#include <limits>

#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "services/wire/profile.h"
#include "services/wire/status.h"

namespace winnow::testing {
namespace {

constexpr char kTenant[] = "faults";
constexpr absl::Duration kTimeout = absl::Seconds(20);

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(std::numeric_limits<int>::max());
  // A channel of its own: a killed server's connections are not to be waited for.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args);
}

// One call of a stub's method, with our tenant where the request has one.
template <typename Stub, typename Request, typename Reply>
absl::Status Call(Stub* stub,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                  Request* request, Reply* reply) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  if constexpr (requires { request->set_tenant(kTenant); }) request->set_tenant(kTenant);
  return wire::FromGrpc((stub->*method)(&context, *request, reply));
}

// Small whole numbers of many bit patterns, finite in every format.
std::string Numbers(size_t bytes) {
  std::string numbers(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) numbers[i] = static_cast<char>(0x30 + i * 7 % 11);
  return numbers;
}

v1::IndexQuery AllOf(const Profile& profile, uint64_t entries) {
  const auto heads = static_cast<size_t>(profile.index_heads);
  v1::IndexQuery query;
  query.set_queries(Numbers(heads * kernels::QueryBytes(profile.key_format, profile.index_dim)));
  const std::vector<float> weights(heads, 0.5f);
  query.set_weights(reinterpret_cast<const char*>(weights.data()), heads * sizeof(float));
  query.add_visible_entries(entries);
  query.set_top_k(static_cast<uint32_t>(entries));
  return query;
}

v1::TierRequest TierOf(const std::string& id, v1::Planes planes) {
  v1::TierRequest request;
  request.set_context_id(id);
  request.set_planes(planes);
  return request;
}

// Asks for range after range until there is none left.
template <typename Method>
absl::StatusOr<std::vector<std::string>> AllStripes(v1::Admin::Stub* stub, Method method,
                                                    v1::TierRequest request) {
  std::vector<std::string> corrupt;
  do {
    v1::TierReply reply;
    const absl::Status status = Call(stub, method, &request, &reply);
    if (!status.ok()) return status;
    corrupt.insert(corrupt.end(), reply.corrupt().begin(), reply.corrupt().end());
    request.set_first_stripe(reply.next_stripe());
  } while (request.first_stripe() != 0);
  return corrupt;
}

}  // namespace

Rpc::Rpc(const std::string& address) : Rpc(Connect(address)) {}

Rpc::Rpc(const std::shared_ptr<grpc::Channel>& channel)
    : contexts_(v1::Contexts::NewStub(channel)),
      retrieval_(v1::Retrieval::NewStub(channel)),
      admin_(v1::Admin::NewStub(channel)) {}

absl::StatusOr<std::string> Rpc::RegisterProfile(const Profile& profile) {
  v1::RegisterProfileRequest request;
  *request.mutable_profile() = wire::FromProfile(profile);
  v1::RegisterProfileReply reply;
  const absl::Status status =
      Call(contexts_.get(), &v1::Contexts::Stub::RegisterProfile, &request, &reply);
  if (!status.ok()) return status;
  return reply.fingerprint();
}

absl::Status Rpc::Create(const std::string& fingerprint, const std::string& id,
                         Durability durability) {
  v1::CreateContextRequest request;
  request.set_profile_fingerprint(fingerprint);
  request.set_context_id(id);
  request.set_durability(static_cast<v1::Durability>(durability));
  v1::CreateContextReply reply;
  return Call(contexts_.get(), &v1::Contexts::Stub::CreateContext, &request, &reply);
}

absl::StatusOr<v1::AppendEntriesReply> Rpc::Append(const std::string& id, uint64_t start,
                                                   uint32_t count,
                                                   const std::vector<v1::LayerEntries>& layers) {
  v1::AppendEntriesRequest request;
  request.set_context_id(id);
  request.set_start_position(start);
  request.set_count(count);
  request.mutable_layers()->Add(layers.begin(), layers.end());
  v1::AppendEntriesReply reply;
  const absl::Status status =
      Call(contexts_.get(), &v1::Contexts::Stub::AppendEntries, &request, &reply);
  if (!status.ok()) return status;
  return reply;
}

absl::Status Rpc::Fork(const std::string& parent, uint64_t entries, const std::string& id) {
  v1::ForkContextRequest request;
  request.set_parent_context_id(parent);
  request.set_entries(entries);
  request.set_context_id(id);
  v1::ForkContextReply reply;
  return Call(contexts_.get(), &v1::Contexts::Stub::ForkContext, &request, &reply);
}

absl::Status Rpc::Seal(const std::string& id) {
  v1::SealContextRequest request;
  request.set_context_id(id);
  v1::SealContextReply reply;
  return Call(contexts_.get(), &v1::Contexts::Stub::SealContext, &request, &reply);
}

absl::Status Rpc::Delete(const std::string& id) {
  v1::DeleteContextRequest request;
  request.set_context_id(id);
  v1::DeleteContextReply reply;
  return Call(contexts_.get(), &v1::Contexts::Stub::DeleteContext, &request, &reply);
}

absl::StatusOr<v1::ContextInfo> Rpc::Describe(const std::string& id) {
  v1::DescribeContextRequest request;
  request.set_context_id(id);
  v1::DescribeContextReply reply;
  const absl::Status status =
      Call(contexts_.get(), &v1::Contexts::Stub::DescribeContext, &request, &reply);
  if (!status.ok()) return status;
  return reply.context();
}

absl::StatusOr<std::vector<std::string>> Rpc::List() {
  std::vector<std::string> ids;
  v1::ListContextsRequest request;
  do {
    v1::ListContextsReply reply;
    const absl::Status status =
        Call(contexts_.get(), &v1::Contexts::Stub::ListContexts, &request, &reply);
    if (!status.ok()) return status;
    for (const v1::ContextInfo& context : reply.contexts()) ids.push_back(context.context_id());
    request.set_after(reply.next());
  } while (!request.after().empty());
  return ids;
}

absl::Status Rpc::Spill(const std::string& id, v1::Planes planes) {
  return AllStripes(admin_.get(), &v1::Admin::Stub::SpillContext, TierOf(id, planes)).status();
}

absl::Status Rpc::Restore(const std::string& id, v1::Planes planes) {
  return AllStripes(admin_.get(), &v1::Admin::Stub::RestoreContext, TierOf(id, planes)).status();
}

absl::StatusOr<std::vector<std::string>> Rpc::Verify(const std::string& id) {
  return AllStripes(admin_.get(), &v1::Admin::Stub::VerifyContext, TierOf(id, v1::PLANES_ALL));
}

absl::StatusOr<v1::GatherReply> Rpc::GatherAll(const std::string& id, const Profile& profile,
                                               int layer, uint64_t entries) {
  v1::GatherRequest request;
  request.set_context_id(id);
  request.set_layer(static_cast<uint32_t>(layer));
  *request.mutable_index_query() = AllOf(profile, entries);
  v1::GatherReply reply;
  const absl::Status status =
      Call(retrieval_.get(), &v1::Retrieval::Stub::Gather, &request, &reply);
  if (!status.ok()) return status;
  return reply;
}

absl::StatusOr<v1::GatherReply> Rpc::GatherSelected(const std::string& id, int layer,
                                                    uint64_t selection_id) {
  v1::GatherRequest request;
  request.set_context_id(id);
  request.set_layer(static_cast<uint32_t>(layer));
  request.set_selection_id(selection_id);
  v1::GatherReply reply;
  const absl::Status status =
      Call(retrieval_.get(), &v1::Retrieval::Stub::Gather, &request, &reply);
  if (!status.ok()) return status;
  return reply;
}

absl::StatusOr<v1::AttendReply> Rpc::Attend(const std::string& id, const Profile& profile,
                                            int layer, uint64_t entries) {
  v1::AttendRequest request;
  request.set_context_id(id);
  request.set_layer(static_cast<uint32_t>(layer));
  *request.mutable_index_query() = AllOf(profile, entries);
  request.set_queries(
      Numbers(static_cast<size_t>(profile.query_heads) * profile.attend_query_bytes()));
  v1::AttendReply reply;
  const absl::Status status =
      Call(retrieval_.get(), &v1::Retrieval::Stub::Attend, &request, &reply);
  if (!status.ok()) return status;
  return reply;
}

v1::LayerEntries LayerMessage(int layer, const std::vector<std::byte>& keys,
                              const std::vector<std::byte>& rows) {
  v1::LayerEntries message;
  message.set_layer(static_cast<uint32_t>(layer));
  message.set_index_keys(keys.data(), keys.size());
  message.set_kv_rows(rows.data(), rows.size());
  return message;
}

}  // namespace winnow::testing
