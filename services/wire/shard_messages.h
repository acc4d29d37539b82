#ifndef WINNOW_SERVICES_WIRE_SHARD_MESSAGES_H_
#define WINNOW_SERVICES_WIRE_SHARD_MESSAGES_H_

#include "absl/status/statusor.h"
#include "services/shard/messages.h"
#include "winnow/v1/shard.pb.h"

// The internal shard API's messages to and from the shard's types.
namespace winnow::wire {

// Fills the call of a request; tensors are copied.
void FromCall(const shard::Call& call, v1::ShardRequest* message);

// The call of a request, borrowing the message's bytes. INVALID_ARGUMENT if it has none, or if its
// parts do not fit together; what needs the context's profile is checked by the shard.
absl::StatusOr<shard::Call> ToCall(const v1::ShardRequest& message);

// Fills the result of a reply, or its status; tensors are copied, but KV rows are moved.
void FromResult(absl::StatusOr<shard::Result> result, v1::ShardReply* message);

// The result of a reply, or the status it carries. INTERNAL BAD_REPLY if its parts do not fit
// together. Tensors are copied, but KV rows are moved.
absl::StatusOr<shard::Result> ToResult(v1::ShardReply message);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_SHARD_MESSAGES_H_
