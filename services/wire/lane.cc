#include "services/wire/lane.h"

namespace winnow::wire {

Lane LaneOf(const v1::ShardRequest& request) {
  switch (request.call_case()) {
    case v1::ShardRequest::kPing:
      return Lane::kPings;
    case v1::ShardRequest::kSelect:
    case v1::ShardRequest::kAttend:
    case v1::ShardRequest::kDescribe:
    case v1::ShardRequest::kListContexts:
    case v1::ShardRequest::kListTenants:
      return Lane::kQueries;
    default:
      return Lane::kChanges;
  }
}

}  // namespace winnow::wire
