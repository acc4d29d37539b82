#include "services/wire/admin_messages.h"

#include "absl/strings/str_cat.h"
#include "services/wire/fields.h"
#include "services/wire/requests.h"
#include "services/wire/utf8.h"
#include "storage/error.h"

namespace winnow::wire {

absl::StatusOr<coordinator::TierRequest> ToTier(shard::TierAction action,
                                                const v1::TierRequest& message) {
  if (!v1::Planes_IsValid(message.planes()) || message.planes() == v1::PLANES_UNSPECIFIED) {
    return InvalidField("planes", absl::StrCat(static_cast<int>(message.planes())),
                        "KV (1), INDEX (2) or ALL (3)");
  }
  absl::Status status = CheckStripes(message.first_stripe(), message.stripes(), 0);
  if (!status.ok()) return status;
  return coordinator::TierRequest{.action = action,
                                  .context = ToContextName(message.tenant(), message.context_id()),
                                  .index = message.planes() != v1::PLANES_KV,
                                  .kv = message.planes() != v1::PLANES_INDEX,
                                  .first_stripe = message.first_stripe(),
                                  .stripes = message.stripes()};
}

v1::TierReply FromReply(const coordinator::TierReply& reply) {
  v1::TierReply message;
  message.set_index_bytes(reply.index_bytes);
  message.set_kv_bytes(reply.kv_bytes);
  message.set_next_stripe(reply.next_stripe);
  message.set_total_stripes(reply.total_stripes);
  for (const std::string& line : reply.corrupt) message.add_corrupt(ToUtf8(line));
  return message;
}

absl::StatusOr<coordinator::SnapshotRequest> ToSnapshot(const v1::SnapshotRequest& message) {
  if (absl::Status status = CheckDirectory(message.directory()); !status.ok()) return status;
  absl::Status status = CheckStripes(message.first_stripe(), message.stripes(), 0);
  if (!status.ok()) return status;
  return coordinator::SnapshotRequest{
      .context = ToContextName(message.tenant(), message.context_id()),
      .directory = message.directory(),
      .first_stripe = message.first_stripe(),
      .stripes = message.stripes()};
}

v1::SnapshotReply FromReply(const coordinator::SnapshotReply& reply) {
  v1::SnapshotReply message;
  message.set_bytes(reply.bytes);
  message.set_next_stripe(reply.next_stripe);
  message.set_total_stripes(reply.total_stripes);
  return message;
}

v1::ListSnapshotsReply FromSnapshots(const std::vector<coordinator::ContextName>& snapshots) {
  v1::ListSnapshotsReply message;
  for (const coordinator::ContextName& name : snapshots) {
    v1::ListSnapshotsReply::Snapshot* snapshot = message.add_snapshots();
    snapshot->set_tenant(name.tenant);
    snapshot->set_context_id(name.context_id);
  }
  return message;
}

v1::ListShardsReply::Shard FromShardState(const coordinator::ShardState& state) {
  v1::ListShardsReply::Shard message;
  message.set_shard(state.shard);
  message.set_address(state.address);
  message.set_slots(state.slots);
  message.set_contexts(state.held.contexts);
  message.set_entries(state.held.entries);
  message.set_index_bytes(state.held.index_bytes);
  message.set_kv_bytes(state.held.kv_bytes);
  message.set_threads(state.held.threads);
  message.set_kernels(state.held.kernels);
  message.set_error(ToUtf8(state.error));
  message.set_memory_bytes(state.held.memory_bytes);
  message.set_memory_budget_bytes(state.held.memory_budget_bytes);
  message.set_disk_bytes(state.held.disk_bytes);
  message.set_corrupt_pages(state.held.corrupt_pages);
  message.set_device_bytes(state.held.device_bytes);
  message.set_device_capacity_bytes(state.held.device_capacity_bytes);
  return message;
}

v1::ListNodesReply::Node ToNode(const coordinator::ShardState& state) {
  v1::ListNodesReply::Node message;
  message.set_name(absl::StrCat("shard-", state.shard));
  message.set_address(state.address);
  message.set_reachable(state.error.empty());
  message.set_round_trip_us(state.round_trip_us);
  message.set_version(state.held.version);
  message.set_error(ToUtf8(state.error));
  return message;
}

}  // namespace winnow::wire
