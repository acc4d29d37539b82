#ifndef WINNOW_SERVICES_CLUSTER_DURABLE_FILE_H_
#define WINNOW_SERVICES_CLUSTER_DURABLE_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace winnow::cluster {

// "cannot <action> <path>: <what the system says>", fact "path": RESOURCE_EXHAUSTED DISK_FULL or
// UNAVAILABLE DISK_FAILED.
absl::Status IoError(std::string_view action, const std::string& path, int error);

// Once it returns OK, a loss of power leaves the file with these bytes; until then, whatever
// happens on the way, what was there before. Errors of IoError.
absl::Status ReplaceFile(const std::string& path, std::string_view bytes);

}  // namespace winnow::cluster

#endif  // WINNOW_SERVICES_CLUSTER_DURABLE_FILE_H_
