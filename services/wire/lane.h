#ifndef WINNOW_SERVICES_WIRE_LANE_H_
#define WINNOW_SERVICES_WIRE_LANE_H_

#include "winnow/v1/shard.pb.h"

namespace winnow::wire {

// Calls to a shard that may have to wait for each other. Each lane has a stream of its own, so that
// queries are not held up by appends that wait for the disk or for memory, nor pings by either.
enum class Lane { kPings, kQueries, kChanges };
inline constexpr int kLanes = 3;

Lane LaneOf(const v1::ShardRequest& request);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_LANE_H_
