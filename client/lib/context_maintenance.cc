#include "client/lib/connection.h"
#include "client/lib/messages.h"
#include "services/wire/fields.h"
#include "winnow/context.h"

namespace winnow::client {

absl::Status Context::RenewLease(absl::Duration ttl) const {
  v1::RenewLeaseRequest request;
  v1::RenewLeaseReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_context_id(id_);
  request.set_ttl_ms(wire::FromDuration(ttl));
  return connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->RenewLease(context, request, &reply);
  });
}

absl::Status Context::Pin(absl::Duration duration) const { return SetPin(true, duration); }

absl::Status Context::Unpin() const { return SetPin(false, absl::InfiniteDuration()); }

absl::Status Context::SetPin(bool pinned, absl::Duration duration) const {
  v1::PinContextRequest request;
  v1::PinContextReply reply;
  request.set_tenant(connection_->options.tenant);
  request.set_context_id(id_);
  request.set_pinned(pinned);
  request.set_for_ms(wire::FromDuration(duration));
  return connection_->Call([&](grpc::ClientContext* context) {
    return connection_->contexts->PinContext(context, request, &reply);
  });
}

absl::StatusOr<TierResult> Context::Spill(Planes planes, const StripeRange& range) const {
  const v1::TierRequest request = ToMessage(connection_->options.tenant, id_, planes, range);
  v1::TierReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->SpillContext(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

absl::StatusOr<TierResult> Context::Restore(Planes planes, const StripeRange& range) const {
  const v1::TierRequest request = ToMessage(connection_->options.tenant, id_, planes, range);
  v1::TierReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->RestoreContext(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

absl::StatusOr<TierResult> Context::Verify(Planes planes, const StripeRange& range) const {
  const v1::TierRequest request = ToMessage(connection_->options.tenant, id_, planes, range);
  v1::TierReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->VerifyContext(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

absl::StatusOr<SnapshotResult> Context::SaveSnapshot(const std::string& directory,
                                                     const StripeRange& range) const {
  const v1::SnapshotRequest request = ToMessage(connection_->options.tenant, id_, directory, range);
  v1::SnapshotReply reply;
  const absl::Status status = connection_->Call([&](grpc::ClientContext* context) {
    return connection_->admin->SaveSnapshot(context, request, &reply);
  });
  if (!status.ok()) return status;
  return FromMessage(reply);
}

}  // namespace winnow::client
