#ifndef WINNOW_CLIENT_WINNOWCTL_HELP_H_
#define WINNOW_CLIENT_WINNOWCTL_HELP_H_

#include <CLI/CLI.hpp>
#include <string>

namespace winnow::ctl {

// Which command is missing or unknown, where CLI11 says no more than that one is required; "" if
// that is not what is wrong.
std::string MissingCommand(const CLI::App& app);

// Lets the help of all commands, which lists their own flags alone, tell of the others.
void AddFooters(CLI::App& app);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_HELP_H_
