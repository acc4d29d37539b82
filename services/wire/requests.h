#ifndef WINNOW_SERVICES_WIRE_REQUESTS_H_
#define WINNOW_SERVICES_WIRE_REQUESTS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/coordinator/requests.h"
#include "winnow/v1/contexts.pb.h"
#include "winnow/v1/retrieval.pb.h"

// The public API's messages to and from the coordinator's types. A native request borrows the
// message's bytes. Shapes that need the profile are checked by the coordinator; what can be told
// from the message alone is checked here.
namespace winnow::wire {

// An empty tenant is "default".
coordinator::ContextName ToContextName(const std::string& tenant, const std::string& context_id);

absl::StatusOr<coordinator::ContextOptions> ToOptions(const v1::CreateContextRequest& message);

coordinator::AppendEntries ToAppend(const v1::AppendEntriesRequest& message);

// INVALID_ARGUMENT if a request has neither an index query nor a selection id, or an unknown path.
absl::StatusOr<coordinator::Query> ToQuery(const v1::SelectRequest& message);
absl::StatusOr<coordinator::Query> ToQuery(const v1::GatherRequest& message);
absl::StatusOr<coordinator::AttendQuery> ToQuery(const v1::AttendRequest& message);

// How long to pin; zero for what is unpinned.
absl::StatusOr<absl::Duration> ToPinDuration(const v1::PinContextRequest& message);

// Without what there is of each layer and shard: a list of many has to fit into a message.
v1::ContextInfo FromListedContext(const coordinator::ContextInfo& info);
v1::ContextInfo FromContextInfo(const coordinator::ContextInfo& info);
void FromAppendReply(const coordinator::AppendReply& reply, v1::AppendEntriesReply* message);
void FromReply(const coordinator::SelectReply& reply, v1::SelectReply* message);
void FromReply(coordinator::GatherReply reply, v1::GatherReply* message);
void FromReply(const coordinator::AttendReply& reply, v1::AttendReply* message);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_REQUESTS_H_
