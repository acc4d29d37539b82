#include "client/lib/context_life.h"

#include "storage/error.h"

namespace winnow::client {
namespace {

v1::DeleteContextRequest DeleteRequest(const Connection& connection,
                                       const std::string& context_id) {
  v1::DeleteContextRequest request;
  request.set_tenant(connection.options.tenant);
  request.set_context_id(context_id);
  return request;
}

}  // namespace

absl::Status DeleteContext(const Connection& connection, const std::string& context_id) {
  const v1::DeleteContextRequest request = DeleteRequest(connection, context_id);
  v1::DeleteContextReply reply;
  bool may_be_done = false;
  const absl::Status status = connection.Call([&](grpc::ClientContext* context) {
    const grpc::Status attempt = connection.contexts->DeleteContext(context, request, &reply);
    may_be_done |= NobodyAnswered(wire::FromGrpc(attempt));
    return attempt;
  });
  if (may_be_done && ErrorReason(status) == "UNKNOWN_CONTEXT") return absl::OkStatus();
  return status;
}

void DeleteUnnamed(const std::shared_ptr<Connection>& connection, const std::string& context_id) {
  CallAsync<bool, v1::DeleteContextReply>(
      connection.get(), DeleteRequest(*connection, context_id),
      [&connection](grpc::ClientContext* context, const v1::DeleteContextRequest* request,
                    v1::DeleteContextReply* reply, auto done) {
        connection->contexts->async()->DeleteContext(context, request, reply, std::move(done));
      },
      [](const v1::DeleteContextReply&) { return true; });
}

}  // namespace winnow::client
