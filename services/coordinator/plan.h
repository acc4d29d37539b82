#ifndef WINNOW_SERVICES_COORDINATOR_PLAN_H_
#define WINNOW_SERVICES_COORDINATOR_PLAN_H_

#include <cstdint>
#include <vector>

#include "services/cluster/placement.h"
#include "services/coordinator/requests.h"

// Who gets what: pure functions of the cluster map and the request.
namespace winnow::coordinator {

// A part of an append that lies in one stripe.
struct AppendPiece {
  uint32_t shard = 0;
  uint32_t stripe = 0;
  uint32_t offset = 0;  // in the stripe
  uint32_t count = 0;
  uint32_t first = 0;  // entry of the append that the piece begins with

  friend bool operator==(const AppendPiece&, const AppendPiece&) = default;
};

// The pieces of [start, start + count), in ascending order.
std::vector<AppendPiece> PlanAppend(const cluster::ClusterMap& map, uint64_t placement_key,
                                    uint64_t start, uint32_t count);

// The bytes of one piece, borrowed from the whole append.
std::vector<LayerBytes> BytesOfPiece(const Profile& profile, const std::vector<LayerBytes>& layers,
                                     const AppendPiece& piece);

// The shard that holds a stripe.
uint32_t ShardOfStripe(const cluster::ClusterMap& map, uint64_t placement_key, uint32_t stripe);

// [shards] the stripes, ascending, that each shard scores so that all of [0, visible) is scored
// once.
std::vector<std::vector<uint32_t>> PlanScan(const cluster::ClusterMap& map, uint64_t placement_key,
                                            uint64_t visible);

// As many stripes as are a moment's work for a call that moves all of their pages: 512 MiB, 1..64.
uint32_t StripesAtOnce(const Profile& profile);

// The path that moves fewer bytes between processes, and can.
struct PathCost {
  uint64_t winners = 0;     // rows that gather would move
  uint32_t shards = 0;      // that push-down would ask
  uint32_t query_rows = 0;  // T
  bool in_process = false;  // nothing is moved at all
};
AttendPath ChoosePath(const Profile& profile, const PathCost& cost);

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_PLAN_H_
