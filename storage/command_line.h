#ifndef WINNOW_STORAGE_COMMAND_LINE_H_
#define WINNOW_STORAGE_COMMAND_LINE_H_

#include <optional>
#include <string>

// What all programs check of their command lines themselves.
namespace winnow {

// What is wrong with an argument "--name=" that has no value, as a shell makes it of an unset
// variable; "" if there is none. CLI11 would take the argument after it for the value.
std::string CheckFlagsHaveValues(int argc, const char* const* argv);

// Of "host:port", in 0..65535; none if the text is no such address.
std::optional<int> PortOf(const std::string& address);

// The variants of the kernels that this machine can run, with commas.
std::string KernelNames();

// Writes out what was printed, and says on stderr if that fails or failed before. The exit code:
// `code`, or 1 where that would be 0 and not all was written.
int FlushOutput(const std::string& program, int code);

}  // namespace winnow

#endif  // WINNOW_STORAGE_COMMAND_LINE_H_
