#ifndef WINNOW_CLIENT_WINNOWCTL_RANGES_H_
#define WINNOW_CLIENT_WINNOWCTL_RANGES_H_

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/winnowctl/progress.h"
#include "winnow/maintenance.h"

namespace winnow::ctl {

// Runs step(range) range by range, each from where the one before it ended, until nothing is left
// or one fails; gives each result to `add`. Shows a bar of stripes.
template <typename Result>
absl::Status ByRanges(const std::string& what,
                      const std::function<absl::StatusOr<Result>(client::StripeRange)>& step,
                      const std::function<void(const Result&)>& add) {
  std::optional<Progress> progress;  // how much there is to do shows with the first result
  client::StripeRange range;
  do {
    absl::StatusOr<Result> result = step(range);
    if (!result.ok()) return result.status();
    add(*result);
    range.first_stripe = result->next_stripe;
    const uint32_t total = std::max(result->total_stripes, result->next_stripe);
    if (!progress) progress.emplace(what, total);
    progress->Update(range.first_stripe == 0 ? total : range.first_stripe);
  } while (range.first_stripe != 0);
  return absl::OkStatus();
}

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_RANGES_H_
