#ifndef WINNOW_SERVICES_WINNOWD_CONFIG_FILE_H_
#define WINNOW_SERVICES_WINNOWD_CONFIG_FILE_H_

#include <CLI/CLI.hpp>
#include <string>

namespace winnow {

// Lets a file set what flags set: --config, or the variable WINNOW_CONFIG. A line gives way to the
// environment, as that does to a flag. Errors of lines name the file and the line. The app and argv
// must outlive the parse.
void AddConfigFile(CLI::App& app, int argc, const char* const* argv);

// For the end of a message about the value of a flag: " (from WINNOW_SHARDS)" or " (at FILE:3)", or
// "" where it is of the command line.
std::string SourceOf(const CLI::App& app, const std::string& flag);

// What is wrong with the file after CLI11 could not read it.
std::string WhyUnreadable(const CLI::App& app);

}  // namespace winnow

#endif  // WINNOW_SERVICES_WINNOWD_CONFIG_FILE_H_
