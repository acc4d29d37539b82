#ifndef WINNOW_SERVICES_SHARD_ATTEND_H_
#define WINNOW_SERVICES_SHARD_ATTEND_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/shard/compute.h"
#include "services/shard/context.h"
#include "services/shard/messages.h"
#include "services/shard/selection_table.h"

namespace winnow::shard {

// Gathers the winners' rows or attends over them, as the call's path says. OUT_OF_RANGE LAYER_SHORT
// if the layer does not hold a winner, INVALID_ARGUMENT for shapes that do not fit the profile,
// RESOURCE_EXHAUSTED GATHER_TOO_LARGE, errors of EntryStore::FetchRows for rows on disk.
absl::StatusOr<AttendResult> AttendOver(const Context& context, const Attend& call,
                                        Selection::Rows winners, Compute& compute,
                                        absl::Time deadline);

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_ATTEND_H_
