#include "storage/command_line.h"

#include "absl/strings/str_cat.h"

namespace winnow {

std::string CheckFlagsHaveValues(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (!argument.starts_with("--") || argument.find('=') + 1 != argument.size()) continue;
    return absl::StrCat(argument.substr(0, argument.size() - 1),
                        " has no value behind its '='; give one, or leave the flag out");
  }
  return "";
}

}  // namespace winnow
