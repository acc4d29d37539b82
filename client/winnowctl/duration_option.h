#ifndef WINNOW_CLIENT_WINNOWCTL_DURATION_OPTION_H_
#define WINNOW_CLIENT_WINNOWCTL_DURATION_OPTION_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/time/time.h"

namespace winnow::ctl {

// How long something lasts, within what the service takes; `endless` is the word for
// InfiniteDuration. `duration` must outlive the parse.
CLI::Option* AddDuration(CLI::App* command, const std::string& flag, const std::string& endless,
                         absl::Duration* duration, const std::string& help);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DURATION_OPTION_H_
