#include "client/winnowctl/trial_context.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"

namespace winnow::ctl {

absl::StatusOr<TrialContext> TrialContext::Create(client::Client& client, const Profile& profile,
                                                  absl::Duration ttl) {
  absl::StatusOr<std::string> fingerprint = client.RegisterProfile(profile);
  if (!fingerprint.ok()) return fingerprint.status();
  absl::StatusOr<client::Context> context =
      client.CreateContext(*fingerprint, /*context_id=*/"", {.ttl = ttl});
  if (!context.ok()) return context.status();
  return TrialContext(*std::move(context), ttl);
}

TrialContext::TrialContext(client::Context context, absl::Duration ttl)
    : context_(std::move(context)), ttl_(ttl), renew_at_(absl::Now() + ttl / 2) {}

absl::Status TrialContext::Keep() {
  if (absl::Now() < renew_at_) return absl::OkStatus();
  renew_at_ = absl::Now() + ttl_ / 2;
  return context_.RenewLease(ttl_);
}

}  // namespace winnow::ctl
