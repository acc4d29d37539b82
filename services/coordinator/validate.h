#ifndef WINNOW_SERVICES_COORDINATOR_VALIDATE_H_
#define WINNOW_SERVICES_COORDINATOR_VALIDATE_H_

#include <string>

#include "absl/status/status.h"
#include "services/coordinator/requests.h"
#include "storage/profile.h"

// Everything that is refused at the door. INVALID_ARGUMENT names the field, its value and its
// limit; the reason is NOT_FINITE for a NaN or an infinity and BAD_FIELD for the rest.
namespace winnow::coordinator {

// Positions and visible_entries are below and at most this, so that a position fits an int32.
inline constexpr uint64_t kMaxEntries = uint64_t{1} << 31;
inline constexpr uint32_t kMaxAppendCount = 65536;

// Of a tenant or a context id; `field` is for the message.
absl::Status ValidateName(const std::string& field, const std::string& value);
absl::Status ValidateContextName(const ContextName& name);

// What can be told without the profile, then what needs it.
absl::Status ValidateAppendBounds(const AppendEntries& append);
absl::Status ValidateAppendBytes(const Profile& profile, const AppendEntries& append);

// layer must be one with its own index.
absl::Status ValidateIndexQuery(const Profile& profile, uint32_t layer, const IndexQuery& query);

// Layer of a gather or attention by an earlier selection.
absl::Status ValidateStoredLayer(const Profile& profile, uint32_t layer);

// The attention's own tensors; sets *query_rows to T.
absl::Status ValidateAttention(const Profile& profile, const AttendQuery& query,
                               uint32_t* query_rows);

}  // namespace winnow::coordinator

#endif  // WINNOW_SERVICES_COORDINATOR_VALIDATE_H_
