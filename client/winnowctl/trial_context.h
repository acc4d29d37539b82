#ifndef WINNOW_CLIENT_WINNOWCTL_TRIAL_CONTEXT_H_
#define WINNOW_CLIENT_WINNOWCTL_TRIAL_CONTEXT_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "winnow/client.h"

namespace winnow::ctl {

// How long what a trial has made stays at the service of others if the trial is killed.
inline constexpr absl::Duration kTrialTtl = absl::Hours(1);

// What long work does between two of its calls; an error ends the work.
using Between = std::function<absl::Status()>;

// A context for the time of a trial.
class TrialContext {
 public:
  // Registers the profile and creates a context of it.
  static absl::StatusOr<TrialContext> Create(client::Client& client, const Profile& profile,
                                             absl::Duration ttl = kTrialTtl);
  // Of a context that has just been made with that ttl.
  TrialContext(client::Context context, absl::Duration ttl);

  const client::Context& context() const { return context_; }

  // To be called from time to time: renews the lease when half of it is over.
  absl::Status Keep();

 private:
  client::Context context_;
  absl::Duration ttl_;
  absl::Time renew_at_;
};

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_TRIAL_CONTEXT_H_
