#ifndef WINNOW_SERVICES_SHARD_SELECT_H_
#define WINNOW_SERVICES_SHARD_SELECT_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "services/shard/compute.h"
#include "services/shard/context.h"
#include "services/shard/messages.h"

namespace winnow::shard {

// Scores the call's stripes, in memory or on disk, and returns the local best. Holds no lock while
// it scores.
// INVALID_ARGUMENT for shapes that do not fit the profile, DATA_LOSS MISSING_STRIPES if a stripe is
// not held as far as the call sees it, DEADLINE_EXCEEDED if `deadline_passed` is raised; errors of
// EntryStore.
absl::StatusOr<SelectResult> SelectFrom(const Context& context, const Select& call,
                                        Compute& compute, absl::Time deadline,
                                        const std::atomic<bool>* deadline_passed);

}  // namespace winnow::shard

#endif  // WINNOW_SERVICES_SHARD_SELECT_H_
