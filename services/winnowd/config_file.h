#ifndef WINNOW_SERVICES_WINNOWD_CONFIG_FILE_H_
#define WINNOW_SERVICES_WINNOWD_CONFIG_FILE_H_

#include <CLI/CLI.hpp>

namespace winnow {

// Lets a file set what flags set: --config, or the variable WINNOW_CONFIG. A line gives way to the
// environment, as that does to a flag.
void AddConfigFile(CLI::App& app);

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_CONFIG_FILE_H_
