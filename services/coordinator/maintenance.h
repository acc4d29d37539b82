#ifndef WINNOW_SERVICES_COORDINATOR_MAINTENANCE_H_
#define WINNOW_SERVICES_COORDINATOR_MAINTENANCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/cluster/placement.h"
#include "services/coordinator/fan_out.h"
#include "services/coordinator/requests.h"

namespace winnow::coordinator {

// What an operator asks, and how a shard is; proto/winnow/v1/admin.proto documents each field.

struct ShardState {
  uint32_t shard = 0;
  std::string address;
  uint32_t slots = 0;
  shard::PingResult held;
  uint64_t round_trip_us = 0;
  std::string error;  // empty if it answered
};

// Of the context's stripes in [first_stripe, first_stripe + stripes).
struct TierRequest {
  shard::TierAction action = shard::TierAction::kSpill;
  ContextName context;
  bool index = true;
  bool kv = true;
  uint32_t first_stripe = 0;
  uint32_t stripes = 0;  // 0: StripesAtOnce
};

struct TierReply {
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
  uint32_t next_stripe = 0;
  uint32_t total_stripes = 0;
  std::vector<std::string> corrupt;
};

struct SnapshotRequest {
  ContextName context;
  std::string directory;
  uint32_t first_stripe = 0;
  uint32_t stripes = 0;  // 0: StripesAtOnce
};

struct SnapshotReply {
  uint64_t bytes = 0;
  uint32_t next_stripe = 0;
  uint32_t total_stripes = 0;
};

// Leases, pins, tiers and snapshots of contexts: calls that every shard gets alike. Thread-safe.
class Maintenance {
 public:
  // The channels and the map must outlive it.
  Maintenance(Channels channels, const cluster::ClusterMap* map)
      : channels_(channels), map_(*map) {}

  absl::Status RenewLease(const ContextName& name, absl::Duration ttl, absl::Time deadline) const;
  // RESOURCE_EXHAUSTED, and pinned nowhere, unless it is pinned on every shard.
  absl::Status PinContext(const ContextName& name, absl::Duration duration,
                          absl::Time deadline) const;
  absl::Status UnpinContext(const ContextName& name, absl::Time deadline) const;
  absl::StatusOr<TierReply> Tier(const TierRequest& request, absl::Time deadline) const;
  absl::StatusOr<SnapshotReply> SaveSnapshot(const SnapshotRequest& request,
                                             absl::Time deadline) const;
  absl::StatusOr<SnapshotReply> LoadSnapshot(const SnapshotRequest& request,
                                             absl::Time deadline) const;
  // Of all shards, each name once and in order.
  absl::StatusOr<std::vector<std::string>> ListTenants(absl::Time deadline) const;
  absl::StatusOr<std::vector<ContextName>> ListSnapshots(const std::string& directory,
                                                         absl::Time deadline) const;

 private:
  const Channels channels_;
  const cluster::ClusterMap& map_;
};

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_MAINTENANCE_H_
