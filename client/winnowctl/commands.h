#ifndef WINNOW_CLIENT_WINNOWCTL_COMMANDS_H_
#define WINNOW_CLIENT_WINNOWCTL_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "client/winnowctl/globals.h"

namespace winnow::ctl {

// What a parsed command line asks for; returns the exit code.
using Run = std::function<int()>;

// Each adds its command to the app and, when that was given, sets `run`. Globals are read only when
// it runs.
void AddProfileCommands(CLI::App& app, const Globals& globals, Run* run);
void AddContextCommands(CLI::App& app, const Globals& globals, Run* run);
void AddAttendCommand(CLI::App& app, const Globals& globals, Run* run);
void AddClusterCommands(CLI::App& app, const Globals& globals, Run* run);
void AddPinCommands(CLI::App& app, const Globals& globals, Run* run);
void AddTierCommands(CLI::App& app, const Globals& globals, Run* run);
void AddSnapshotCommands(CLI::App& app, const Globals& globals, Run* run);
void AddBenchCommand(CLI::App& app, const Globals& globals, Run* run);
void AddDemoCommand(CLI::App& app, const Globals& globals, Run* run);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_COMMANDS_H_
