#ifndef WINNOW_CLIENT_WINNOWCTL_PROFILE_COMMANDS_H_
#define WINNOW_CLIENT_WINNOWCTL_PROFILE_COMMANDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "winnow/client.h"

namespace winnow::ctl {

// The fingerprint of a registered profile given by fingerprint or name, or of the preset of that
// name, which is registered on the way. FAILED_PRECONDITION AMBIGUOUS_PROFILE, with their
// fingerprints, if different ones bear the name.
absl::StatusOr<std::string> ResolveProfile(client::Client& client, const std::string& name);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_PROFILE_COMMANDS_H_
