#ifndef WINNOW_SERVICES_WIRE_ADMIN_MESSAGES_H_
#define WINNOW_SERVICES_WIRE_ADMIN_MESSAGES_H_

#include "absl/status/statusor.h"
#include "services/coordinator/maintenance.h"
#include "winnow/v1/admin.pb.h"

// What an operator asks and is told, to and from the coordinator's types.
namespace winnow::wire {

// INVALID_ARGUMENT if no known planes are named or the range is out of bounds.
absl::StatusOr<coordinator::TierRequest> ToTier(shard::TierAction action,
                                                const v1::TierRequest& message);
v1::TierReply FromReply(const coordinator::TierReply& reply);

// INVALID_ARGUMENT if the directory is no absolute path or the range is out of bounds.
absl::StatusOr<coordinator::SnapshotRequest> ToSnapshot(const v1::SnapshotRequest& message);
v1::SnapshotReply FromReply(const coordinator::SnapshotReply& reply);

v1::ListSnapshotsReply FromSnapshots(const std::vector<coordinator::ContextName>& snapshots);

v1::ListShardsReply::Shard FromShardState(const coordinator::ShardState& state);
v1::ListNodesReply::Node ToNode(const coordinator::ShardState& state);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_ADMIN_MESSAGES_H_
