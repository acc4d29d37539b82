#ifndef WINNOW_CLIENT_WINNOWCTL_NUMBER_OPTION_H_
#define WINNOW_CLIENT_WINNOWCTL_NUMBER_OPTION_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace winnow::ctl {

// A whole number in min..max, which must fit; CLI11's own options of unsigned types take -1 for a
// large one. Shows the number that `value` has as the default. `value` must outlive the parse.
template <typename Integer>
CLI::Option* AddNumber(CLI::App* command, const std::string& flag, uint64_t min, uint64_t max,
                       Integer* value, const std::string& help) {
  const auto parse = [flag, min, max, value](const std::string& text) {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(text, &number) || number < min || number > max) {
      throw CLI::ValidationError(
          absl::StrCat(flag, " is '", text, "'; it must be a whole number in ", min, "..", max));
    }
    *value = static_cast<Integer>(number);
  };
  return command->add_option_function<std::string>(flag, parse, help)
      ->default_str(absl::StrCat(*value))
      ->type_name("");
}

inline constexpr uint64_t kMaxEntries = uint64_t{1} << 31;  // of a context

inline CLI::Option* AddSeed(CLI::App* command, uint64_t* seed, const std::string& help) {
  return AddNumber(command, "--seed", 0, std::numeric_limits<uint64_t>::max(), seed, help);
}

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_NUMBER_OPTION_H_
