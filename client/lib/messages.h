#ifndef WINNOW_CLIENT_LIB_MESSAGES_H_
#define WINNOW_CLIENT_LIB_MESSAGES_H_

#include <span>
#include <string>

#include "absl/status/status.h"
#include "winnow/maintenance.h"
#include "winnow/types.h"
#include "winnow/v1/admin.pb.h"
#include "winnow/v1/contexts.pb.h"
#include "winnow/v1/retrieval.pb.h"

// The library's types to and from the wire's. Tensors are copied.
namespace winnow::client {

// INVALID_ARGUMENT for more bytes than a message can hold, whatever the service takes.
absl::Status CheckBytes(std::span<const LayerEntries> layers);
absl::Status CheckBytes(const SelectionSource& source);
absl::Status CheckBytes(const AttendRequest& request);
v1::AppendEntriesRequest ToMessage(const std::string& tenant, const std::string& context_id,
                                   uint64_t start_position, uint32_t count,
                                   std::span<const LayerEntries> layers);
v1::IndexQuery ToMessage(const IndexQuery& query);
v1::AttendRequest ToMessage(const std::string& tenant, const std::string& context_id,
                            const AttendRequest& request);

v1::TierRequest ToMessage(const std::string& tenant, const std::string& context_id, Planes planes,
                          const StripeRange& range);
v1::SnapshotRequest ToMessage(const std::string& tenant, const std::string& context_id,
                              const std::string& directory, const StripeRange& range);

AppendResult FromMessage(const v1::AppendEntriesReply& message);
SelectResult FromMessage(const v1::SelectReply& message);
GatherResult FromMessage(v1::GatherReply&& message);
AttendResult FromMessage(const v1::AttendReply& message);
ContextInfo FromMessage(const v1::ContextInfo& message);
NodeInfo FromMessage(const v1::ListNodesReply::Node& message);
ShardInfo FromMessage(const v1::ListShardsReply::Shard& message);
TierResult FromMessage(const v1::TierReply& message);
SnapshotResult FromMessage(const v1::SnapshotReply& message);

}  // namespace winnow::client

#endif  // WINNOW_CLIENT_LIB_MESSAGES_H_
