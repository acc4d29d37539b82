#ifndef WINNOW_CLIENT_WINNOWCTL_DEMO_REPORT_H_
#define WINNOW_CLIENT_WINNOWCTL_DEMO_REPORT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "client/winnowctl/demo/continuation.h"

namespace winnow::ctl {

// What a demo did and found.
struct DemoReport {
  uint64_t tokens = 0;
  uint64_t text_files = 0;
  uint64_t shards = 0;
  uint64_t processes = 0;  // of ours; 0 if the service was there before
  uint64_t passages = 0;
  double append_seconds = 0;
  double total_seconds = 0;
  uint64_t index_bytes = 0;
  uint64_t kv_bytes = 0;
  uint64_t peak_resident_bytes = 0;

  // 1.25 times the context, and 256 MiB for programs, buffers and forks.
  uint64_t resident_bytes_limit() const;
  // What was not as it must be, in words; empty if all was.
  std::vector<std::string> Failures(const Findings& findings) const;
};

// Where a suffix is unique, the share of bytes that must be right.
inline constexpr double kUniqueAccuracy = 0.995;

// A passage on a few lines; with colour, right bytes are green and wrong ones red, without, a wrong
// byte is shown as [predicted|expected].
std::string FormatPassage(const Passage& passage, bool colour);

nlohmann::ordered_json ReportJson(const DemoReport& report, const Findings& findings);
std::string ReportText(const DemoReport& report, const Findings& findings);

}  // namespace winnow::ctl

#endif  // WINNOW_CLIENT_WINNOWCTL_DEMO_REPORT_H_
