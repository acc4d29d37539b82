#ifndef WINNOW_CLIENT_WINNOWCTL_PROFILE_JSON_H_
#define WINNOW_CLIENT_WINNOWCTL_PROFILE_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/profile.h"

// Profiles as `-o json` prints them and `profile register --file` reads them.
namespace winnow::ctl {

// Its fields, and what follows from them: fingerprint, layers, indexed_layers, key_bytes and
// row_bytes. The profile must be valid.
nlohmann::ordered_json ToJson(const Profile& profile);

// The profiles of a text that holds one, or a list of them. INVALID_ARGUMENT names the field. What
// follows from others is not read, but a number of layers that is not that of layer_kinds is
// refused, as is a field that no profile has.
absl::StatusOr<std::vector<Profile>> ProfilesFromJson(const std::string& text);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_PROFILE_JSON_H_
