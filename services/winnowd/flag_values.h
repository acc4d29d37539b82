#ifndef WINNOW_SERVICES_WINNOWD_FLAG_VALUES_H_
#define WINNOW_SERVICES_WINNOWD_FLAG_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

// Readers of flags' values. Each returns "" and sets *value, or says what would be right.
namespace winnow {

std::string ParseDuration(const std::string& text, absl::Duration min, absl::Duration max,
                          absl::Duration* value);

// Bytes, with or without a unit.
std::string ParseSize(const std::string& text, size_t min, size_t max, size_t* value);

// "host:port" with a port in 0..65535.
std::string ParseAddress(const std::string& text, std::string* value);

// Refuses an empty path and one that begins with '-', which was meant as the next flag.
std::string ParsePath(const std::string& text, std::string* value);

std::string ParseKernels(const std::string& text, std::string* value);

// cpu, cuda:N or auto.
std::string ParseDevice(const std::string& text, std::string* value);

// Memory of a shard; 0 for no limit.
std::string ParseBudget(const std::string& text, size_t* value);

template <typename Integer>
std::string ParseInteger(const std::string& text, Integer min, Integer max, Integer* value) {
  int64_t parsed = 0;
  if (absl::SimpleAtoi(text, &parsed) && parsed >= static_cast<int64_t>(min) &&
      parsed <= static_cast<int64_t>(max)) {
    *value = static_cast<Integer>(parsed);
    return "";
  }
  return absl::StrCat("a whole number in ", min, "..", max);
}

template <typename Enum>
std::string ParseName(const std::string& text, const std::map<std::string, Enum>& names,
                      Enum* value) {
  if (const auto it = names.find(text); it != names.end()) {
    *value = it->second;
    return "";
  }
  return absl::StrCat("one of ", absl::StrJoin(names, ", ", [](std::string* out, const auto& name) {
                        out->append(name.first);
                      }));
}

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_FLAG_VALUES_H_
