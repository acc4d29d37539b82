#include "storage/command_line.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "kernels/backend.h"

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

std::optional<int> PortOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port)) return std::nullopt;
  if (port < 0 || port > 65535) return std::nullopt;
  return port;
}

std::string KernelNames() {
  std::string names;
  for (const kernels::Backend* backend : kernels::AvailableBackends()) {
    names += (names.empty() ? "" : ", ") + std::string(backend->name());
  }
  return names;
}

int FlushOutput(const std::string& program, int code) {
  errno = 0;
  std::cout.flush();
  const bool flushed = std::fflush(stdout) == 0;
  const int error = errno;
  if (flushed && std::cout && std::ferror(stdout) == 0) return code;
  std::cerr << program << ": cannot write to stdout"
            << (error == 0 ? "" : absl::StrCat(": ", strerror(error))) << "\n";
  return code == 0 ? 1 : code;
}

}  // namespace winnow
