#ifndef WINNOW_SERVICES_COORDINATOR_DESCRIBE_H_
#define WINNOW_SERVICES_COORDINATOR_DESCRIBE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/cluster/placement.h"
#include "services/coordinator/fan_out.h"
#include "services/coordinator/requests.h"

// Contexts as all shards together hold them.
namespace winnow::coordinator {

// A context's name on the shards, so that tenants never see each other's.
std::string ShardId(const ContextName& name);

// NOT_FOUND UNKNOWN_CONTEXT.
absl::Status UnknownContext(const ContextName& name);

// Shards do not free a context at the same moment: their clocks may differ by this much.
inline constexpr absl::Duration kClockSkew = absl::Seconds(5);

// Whether a shard says that it holds a context no longer, or by now another one of its name.
bool IsGone(const absl::Status& status);

// [shards] what each holds. INVALID_ARGUMENT if that is no name; NOT_FOUND UNKNOWN_CONTEXT if no
// shard holds the context, or if it has just expired on the first of them; DATA_LOSS
// MISSING_CONTEXT if only some hold it, or hold different ones.
absl::StatusOr<std::vector<shard::ContextState>> DescribeOnce(Channels channels,
                                                              const ContextName& name,
                                                              absl::Time deadline);

// The same, and DATA_LOSS only if it still is so a moment later: a context that is being made or
// deleted is there in part for so long.
absl::StatusOr<std::vector<shard::ContextState>> DescribeAll(Channels channels,
                                                             const ContextName& name,
                                                             absl::Time deadline);

// The same, and DATA_LOSS MISSING_ENTRIES if a shard lacks entries below the end of a layer: what
// is appended is always a prefix, so those were lost.
absl::StatusOr<std::vector<shard::ContextState>> DescribeWhole(Channels channels,
                                                               const cluster::ClusterMap& map,
                                                               const ContextName& name,
                                                               absl::Time deadline);

// [shards] `states` of one moment: DATA_LOSS as DescribeWhole, but for what is changing just now.
absl::Status CheckWhole(Channels channels, const cluster::ClusterMap& map, const ContextName& name,
                        const std::vector<shard::ContextState>& states);

// [shards] the incarnation to put into the call to each shard.
std::vector<uint64_t> Incarnations(const std::vector<shard::ContextState>& states);

// They must be of one context, as DescribeAll makes sure.
ContextInfo Combine(const std::string& context_id, const std::vector<shard::ContextState>& states,
                    absl::Time now);

// 1 + the last stripe that holds an entry of any layer; 0 if there is none.
uint32_t TotalStripes(const std::vector<shard::ContextState>& states);

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_DESCRIBE_H_
