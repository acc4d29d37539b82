#include "winnow/context.h"

#include <utility>

#include "client/lib/connection.h"
#include "client/lib/context_life.h"
#include "client/lib/messages.h"
#include "services/wire/fields.h"
#include "storage/context_id.h"

namespace winnow::client {

Context::Context(std::shared_ptr<Connection> connection, std::string id,
                 std::shared_ptr<const Profile> profile)
    : connection_(std::move(connection)), id_(std::move(id)), profile_(std::move(profile)) {}

absl::StatusOr<AppendResult> Context::Append(uint64_t start_position, uint32_t count,
                                             std::span<const LayerEntries> layers) const {
  if (absl::Status status = CheckBytes(layers); !status.ok()) return status;
  const v1::AppendEntriesRequest request =
      ToMessage(connection_->options.tenant, id_, start_position, count, layers);
  v1::AppendEntriesReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->AppendEntries(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

std::future<absl::StatusOr<AppendResult>> Context::AppendAsync(
    uint64_t start_position, uint32_t count, std::span<const LayerEntries> layers) const {
  if (absl::Status status = CheckBytes(layers); !status.ok()) {
    return Refused<AppendResult>(std::move(status));
  }
  return CallAsync<AppendResult, v1::AppendEntriesReply>(
      connection_.get(), ToMessage(connection_->options.tenant, id_, start_position, count, layers),
      [connection = connection_](grpc::ClientContext* context,
                                 const v1::AppendEntriesRequest* request,
                                 v1::AppendEntriesReply* reply, auto done) {
        connection->contexts->async()->AppendEntries(context, request, reply, std::move(done));
      },
      [](const v1::AppendEntriesReply& reply) { return FromMessage(reply); });
}

absl::StatusOr<SelectResult> Context::Select(int layer, const IndexQuery& query) const {
  if (absl::Status status = CheckBytes(query); !status.ok()) return status;
  v1::SelectRequest request;
  v1::SelectReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_context_id(id_);
  request.set_layer(static_cast<uint32_t>(layer));
  *request.mutable_index_query() = ToMessage(query);
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->retrieval->Select(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

absl::StatusOr<GatherResult> Context::Gather(int layer, const SelectionSource& source) const {
  if (absl::Status status = CheckBytes(source); !status.ok()) return status;
  v1::GatherRequest request;
  v1::GatherReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_context_id(id_);
  request.set_layer(static_cast<uint32_t>(layer));
  if (const auto* query = std::get_if<IndexQuery>(&source)) {
    *request.mutable_index_query() = ToMessage(*query);
  } else {
    request.set_selection_id(std::get<uint64_t>(source));
  }
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->retrieval->Gather(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(std::move(reply));
}

absl::StatusOr<AttendResult> Context::Attend(const AttendRequest& request) const {
  if (absl::Status status = CheckBytes(request); !status.ok()) return status;
  const v1::AttendRequest message = ToMessage(connection_->options.tenant, id_, request);
  v1::AttendReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->retrieval->Attend(context, message, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

std::future<absl::StatusOr<AttendResult>> Context::AttendAsync(const AttendRequest& request) const {
  if (absl::Status status = CheckBytes(request); !status.ok()) {
    return Refused<AttendResult>(std::move(status));
  }
  return CallAsync<AttendResult, v1::AttendReply>(
      connection_.get(), ToMessage(connection_->options.tenant, id_, request),
      [connection = connection_](grpc::ClientContext* context, const v1::AttendRequest* request,
                                 v1::AttendReply* reply, auto done) {
        connection->retrieval->async()->Attend(context, request, reply, std::move(done));
      },
      [](const v1::AttendReply& reply) { return FromMessage(reply); });
}

std::unique_ptr<DecodeSession> Context::StartDecode() const {
  return std::make_unique<DecodeSession>(connection_, id_);
}

absl::StatusOr<Context> Context::Fork(uint64_t entries, const std::string& fork_id,
                                      absl::Duration ttl) const {
  const bool drawn = fork_id.empty();
  const std::string id = drawn ? RandomContextId() : fork_id;
  v1::ForkContextRequest request;
  v1::ForkContextReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_parent_context_id(id_);
  request.set_entries(entries);
  request.set_context_id(id);
  request.set_ttl_ms(wire::FromDuration(ttl));
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->ForkContext(context, request, &reply);
  });
  if (status.ok()) return Context(connection_, id, profile_);
  if (drawn) DeleteUnnamed(connection_, id);
  return status;
}

absl::Status Context::Seal() const {
  v1::SealContextRequest request;
  v1::SealContextReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_context_id(id_);
  return connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->SealContext(context, request, &reply);
  });
}

absl::StatusOr<ContextInfo> Context::Describe() const {
  v1::DescribeContextRequest request;
  v1::DescribeContextReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_context_id(id_);
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->DescribeContext(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply.context());
}

absl::Status Context::Delete() const { return DeleteContext(*connection_, id_); }

}  // namespace winnow::client
