#ifndef WINNOW_SERVICES_WIRE_PROFILE_H_
#define WINNOW_SERVICES_WIRE_PROFILE_H_

#include "absl/status/statusor.h"
#include "storage/profile.h"
#include "winnow/v1/types.pb.h"

namespace winnow::wire {

// Checked by ValidateProfile; INVALID_ARGUMENT names the first bad field.
absl::StatusOr<Profile> ToProfile(const v1::Profile& message);

v1::Profile FromProfile(const Profile& profile);

}  // namespace winnow::wire

#endif  // WINNOW_SERVICES_WIRE_PROFILE_H_
