#ifndef WINNOW_STORAGE_ERROR_H_
#define WINNOW_STORAGE_ERROR_H_

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace winnow {

// A status with a reason that programs can act on. The reason and the facts are payloads of the
// status, so they survive every `return status;` and reach the caller as an ErrorInfo.
//   reason   UPPER_SNAKE_CASE, stable, e.g. "APPEND_GAP"
//   message  for people: what was wrong, with which value, and what would be right
//   facts    e.g. {{"resume_position", "4032"}}
absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message,
                   std::initializer_list<std::pair<std::string_view, std::string>> facts = {});

// INVALID_ARGUMENT for a field out of bounds: "<field> is <value>; it must be <limit>".
absl::Status InvalidField(std::string_view field, std::string_view value, std::string_view limit);

// The reason, or "" if the status was not made by Error().
std::string ErrorReason(const absl::Status& status);
std::map<std::string, std::string> ErrorFacts(const absl::Status& status);

}  // namespace winnow

#endif  // WINNOW_STORAGE_ERROR_H_
