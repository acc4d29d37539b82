#include "services/winnowd/flag_values.h"

#include <CLI/CLI.hpp>

#include "absl/strings/match.h"
#include "kernels/backend.h"
#include "storage/command_line.h"

namespace winnow {
namespace {

constexpr int kMaxGpu = 63;
// An entry in every layer of a large model takes 8 MB of pages, and where there is a data directory
// they get half of the budget.
constexpr size_t kMinMemoryBudget = size_t{16} << 20;

}  // namespace

std::string ParseDuration(const std::string& text, absl::Duration min, absl::Duration max,
                          absl::Duration* value) {
  if (absl::ParseDuration(text, value) && *value >= min && *value <= max) return "";
  return absl::StrCat("a duration in ", absl::FormatDuration(min), "..", absl::FormatDuration(max),
                      ", like 500ms, 10s or 2m");
}

std::string ParseSize(const std::string& text, size_t min, size_t max, size_t* value) {
  const std::string wanted = absl::StrCat("a size in ", min, "..", max, " bytes, like 64MiB");
  try {
    std::string bytes = text;
    const CLI::AsSizeValue to_bytes(/*kb_is_1000=*/true);
    size_t parsed = 0;
    if (!to_bytes(bytes).empty() || !absl::SimpleAtoi(bytes, &parsed)) return wanted;
    if (parsed < min || parsed > max) return wanted;
    *value = parsed;
    return "";
  } catch (const CLI::Error&) {
    return wanted;
  }
}

std::string ParseAddress(const std::string& text, std::string* value) {
  if (!PortOf(text).has_value()) return "HOST:PORT with a port in 0..65535";
  *value = text;
  return "";
}

std::string ParsePath(const std::string& text, std::string* value) {
  if (text.empty() || text.starts_with('-')) return "a path, with ./ before a dash";
  *value = text;
  return "";
}

std::string ParseKernels(const std::string& text, std::string* value) {
  if (kernels::ChooseBackend(text) != nullptr) {
    *value = text;
    return "";
  }
  return "one that this machine can run: " + KernelNames();
}

std::string ParseDevice(const std::string& text, std::string* value) {
  const std::string number = absl::StartsWith(text, "cuda:") ? text.substr(5) : "";
  int gpu = 0;
  if (text != "auto" && text != "cpu" && !ParseInteger<int>(number, 0, kMaxGpu, &gpu).empty()) {
    return absl::StrCat("auto, cpu or cuda:N with N in 0..", kMaxGpu);
  }
  *value = text;
  return "";
}

std::string ParseBudget(const std::string& text, size_t* value) {
  if (ParseSize(text, 0, 0, value).empty()) return "";
  const std::string wanted = ParseSize(text, kMinMemoryBudget, size_t{1} << 50, value);
  return wanted.empty() ? "" : "0 for no limit, or " + wanted;
}

}  // namespace winnow
