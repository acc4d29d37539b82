#ifndef WINNOW_SERVICES_SHARD_ATTEND_H_
#define WINNOW_SERVICES_SHARD_ATTEND_H_

#include "absl/status/statusor.h"
#include "services/shard/compute.h"
#include "services/shard/context.h"
#include "services/shard/messages.h"
#include "services/shard/selection_table.h"

namespace winnow::shard {

// Gathers the winners' rows or attends over them, as the call's path says. OUT_OF_RANGE LAYER_SHORT
// if the layer does not hold a winner, INVALID_ARGUMENT for shapes that do not fit the profile.
absl::StatusOr<AttendResult> AttendOver(const Context& context, const Attend& call,
                                        Selection::Rows winners, Compute& compute);

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_ATTEND_H_
