#include "client/winnowctl/demo/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/winnowctl/table.h"

namespace winnow::ctl {
namespace {

constexpr char kGreen[] = "\033[32m";
constexpr char kRed[] = "\033[31m";
constexpr char kPlain[] = "\033[0m";

// A byte so that it takes one column.
std::string Visible(char byte) {
  if (byte == '\n') return "⏎";
  if (byte == '\t') return "→";
  return byte >= ' ' && byte <= '~' ? std::string(1, byte) : "·";
}

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double KeysPerSecond(const CallLog& calls) {
  const double seconds = calls.p50_us() * static_cast<double>(calls.calls()) / 1e6;
  return seconds == 0 ? 0 : static_cast<double>(calls.entries_scanned()) / seconds;
}

}  // namespace

uint64_t DemoReport::resident_bytes_limit() const {
  return (index_bytes + kv_bytes) * 5 / 4 + (uint64_t{256} << 20);
}

std::vector<std::string> DemoReport::Failures(const Findings& f) const {
  std::vector<std::string> failures;
  if (f.selections_equal != f.selections) {
    failures.push_back(absl::StrCat(f.selections - f.selections_equal, " of ", f.selections,
                                    " selections differ from brute force"));
  }
  if (f.reference_scans_equal != f.reference_scans) {
    failures.push_back(absl::StrCat(f.reference_scans - f.reference_scans_equal, " of ",
                                    f.reference_scans,
                                    " selections differ from the reference kernel's"));
  }
  if (f.unique_bytes == 0) {
    failures.push_back("no suffix was unique, so accuracy could not be judged");
  } else if (Share(f.unique_bytes_right, f.unique_bytes) < kUniqueAccuracy) {
    failures.push_back(
        absl::StrFormat("%d of %d bytes after unique suffixes were right; at least "
                        "%.1f %% must be",
                        f.unique_bytes_right, f.unique_bytes, kUniqueAccuracy * 100));
  }
  if (peak_resident_bytes > resident_bytes_limit()) {
    failures.push_back(absl::StrCat("the service took ", FormatBytes(peak_resident_bytes),
                                    " of memory; at most ", FormatBytes(resident_bytes_limit()),
                                    " are right for this context"));
  }
  return failures;
}

std::string FormatPassage(const Passage& passage, bool colour) {
  std::string text = absl::StrCat("byte ", passage.start, "\n  ");
  for (const char byte : passage.prompt) text += Visible(byte);
  text += "\n  ";
  for (size_t i = 0; i < passage.predicted.size(); ++i) {
    const bool right = passage.predicted[i] == passage.expected[i];
    const std::string predicted = Visible(passage.predicted[i]);
    if (colour) {
      absl::StrAppend(&text, right ? kGreen : kRed, predicted, kPlain);
    } else if (right) {
      text += predicted;
    } else {
      absl::StrAppend(&text, "[", predicted, "|", Visible(passage.expected[i]), "]");
    }
  }
  return text + "\n";
}

nlohmann::ordered_json ReportJson(const DemoReport& report, const Findings& f) {
  const double context_bytes = static_cast<double>(report.index_bytes + report.kv_bytes);
  const std::vector<std::string> failures = report.Failures(f);
  return {{"ok", failures.empty()},
          {"failures", failures},
          {"tokens", report.tokens},
          {"text_files", report.text_files},
          {"shards", report.shards},
          {"processes", report.processes},
          {"passages", report.passages},
          {"bytes", f.bytes},
          {"accuracy", Share(f.bytes_right, f.bytes)},
          {"unique_bytes", f.unique_bytes},
          {"unique_accuracy", Share(f.unique_bytes_right, f.unique_bytes)},
          {"selections", f.selections},
          {"selections_equal", f.selections_equal},
          {"reference_scans", f.reference_scans},
          {"reference_scans_equal", f.reference_scans_equal},
          {"p50_us", f.calls.p50_us()},
          {"p99_us", f.calls.p99_us()},
          {"stages_us", f.calls.Stages()},
          {"keys_per_second", KeysPerSecond(f.calls)},
          {"bytes_moved", f.calls.bytes_moved()},
          {"append_entries_per_second", static_cast<double>(report.tokens) / report.append_seconds},
          {"append_bytes_per_second", context_bytes / report.append_seconds},
          {"index_bytes", report.index_bytes},
          {"kv_bytes", report.kv_bytes},
          {"peak_resident_bytes", report.peak_resident_bytes},
          {"resident_bytes_limit", report.resident_bytes_limit()},
          {"total_seconds", report.total_seconds}};
}

std::string ReportText(const DemoReport& report, const Findings& f) {
  const CallLog& calls = f.calls;
  const uint64_t context_bytes = report.index_bytes + report.kv_bytes;
  Table table({"", ""});
  table.Add({"accuracy", absl::StrFormat("%d of %d bytes (%.2f %%)", f.bytes_right, f.bytes,
                                         100 * Share(f.bytes_right, f.bytes))});
  table.Add({"  where the suffix is unique",
             absl::StrFormat("%d of %d bytes (%.2f %%)", f.unique_bytes_right, f.unique_bytes,
                             100 * Share(f.unique_bytes_right, f.unique_bytes))});
  table.Add({"selections equal to brute force",
             absl::StrFormat("%d of %d", f.selections_equal, f.selections)});
  table.Add({"  to the reference kernel",
             absl::StrFormat("%d of %d", f.reference_scans_equal, f.reference_scans)});
  table.Add({"decode step", absl::StrFormat("p50 %.1f ms, p99 %.1f ms", calls.p50_us() / 1e3,
                                            calls.p99_us() / 1e3)});
  table.Add({"keys scanned", absl::StrFormat("%.0f million/s", KeysPerSecond(calls) / 1e6)});
  table.Add({"bytes moved between servers",
             absl::StrCat(FormatBytes(calls.bytes_moved() / std::max<size_t>(1, calls.calls())),
                          " per step, ", FormatBytes(calls.bytes_moved()), " in all")});
  table.Add({"append",
             absl::StrFormat("%.0f entries/s, %s/s",
                             static_cast<double>(report.tokens) / report.append_seconds,
                             FormatBytes(static_cast<uint64_t>(static_cast<double>(context_bytes) /
                                                               report.append_seconds)))});
  if (report.processes > 0) {
    table.Add({"memory of the service",
               absl::StrCat(FormatBytes(report.peak_resident_bytes), " for a context of ",
                            FormatBytes(context_bytes), " (limit ",
                            FormatBytes(report.resident_bytes_limit()), ")")});
  }
  table.Add({"all in all", absl::StrFormat("%.1f s", report.total_seconds)});
  std::string text = table.ToString() + "where a step's time goes (median)\n";
  const nlohmann::ordered_json stages = calls.Stages();
  for (const auto& [stage, us] : stages.items()) {
    absl::StrAppend(&text, absl::StrFormat("  %-28s %9.0f us\n", stage, us.get<double>()));
  }
  return text;
}

}  // namespace winnow::ctl
