#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_REFERENCE_SCAN_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_REFERENCE_SCAN_H_

#include "client/winnowctl/demo/brute_force.h"
#include "client/winnowctl/demo/induction_profile.h"

namespace winnow::ctl {

// The same selection by the kernels' reference: real keys, sums in double, a full sort. Takes
// seconds for a million entries.
BruteForce::Selected ReferenceSelect(const BruteForce& entries, const InductionQuery& query,
                                     size_t visible_entries, int k);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_REFERENCE_SCAN_H_
