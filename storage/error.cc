#include "storage/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace winnow {
namespace {

constexpr char kReason[] = "winnow/reason";
constexpr char kFactPrefix[] = "winnow/fact/";

// Debian's abseil keeps a string_view of its own.
absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message,
                   std::initializer_list<std::pair<std::string_view, std::string>> facts) {
  absl::Status status(code, View(message));
  status.SetPayload(kReason, absl::Cord(View(reason)));
  for (const auto& [key, value] : facts) {
    status.SetPayload(absl::StrCat(kFactPrefix, View(key)), absl::Cord(value));
  }
  return status;
}

absl::Status InvalidField(std::string_view field, std::string_view value, std::string_view limit) {
  return Error(absl::StatusCode::kInvalidArgument, "BAD_FIELD",
               absl::StrCat(View(field), " is ", View(value), "; it must be ", View(limit)),
               {{"field", std::string(field)},
                {"value", std::string(value)},
                {"limit", std::string(limit)}});
}

std::string ErrorReason(const absl::Status& status) {
  return std::string(status.GetPayload(kReason).value_or(absl::Cord()));
}

std::map<std::string, std::string> ErrorFacts(const absl::Status& status) {
  std::map<std::string, std::string> facts;
  status.ForEachPayload([&facts](absl::string_view url, const absl::Cord& value) {
    const absl::string_view prefix = kFactPrefix;
    if (url.substr(0, prefix.size()) == prefix) {
      facts[std::string(url.substr(prefix.size()))] = std::string(value);
    }
  });
  return facts;
}

}  // namespace winnow
