#include "client/winnowctl/duration_option.h"

namespace winnow::ctl {
namespace {

constexpr absl::Duration kMin = absl::Seconds(1);
constexpr absl::Duration kMax = absl::Hours(24 * 3650);

}  // namespace

CLI::Option* AddDuration(CLI::App* command, const std::string& flag, const std::string& endless,
                         absl::Duration* duration, const std::string& help) {
  const auto parse = [flag, endless, duration](const std::string& text) {
    if (text == endless) {
      *duration = absl::InfiniteDuration();
    } else if (!absl::ParseDuration(text, duration) || *duration < kMin || *duration > kMax) {
      throw CLI::ValidationError(flag + " is '" + text + "'; it must be " + endless +
                                 ", or a duration in 1s.." + absl::FormatDuration(kMax) +
                                 ", like 90s or 36h");
    }
  };
  return command->add_option_function<std::string>(flag, parse, help)->type_name("");
}

}  // namespace winnow::ctl
