#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/number_option.h"
#include "client/winnowctl/stats.h"
#include "client/winnowctl/synthetic.h"
#include "client/winnowctl/table.h"
#include "kernels/layout.h"
#include "storage/error.h"
#include "storage/profile.h"

namespace winnow::ctl {
namespace {

struct AttendFlags {
  std::string id;
  int layer = 0;
  uint64_t seed = 1;
  uint32_t show = 10;
};

// Every shard is asked, but those without entries have nothing to scan.
int64_t ShardsWithEntries(const client::ContextInfo& info) {
  return std::count_if(info.shard_entries.begin(), info.shard_entries.end(),
                       [](uint64_t entries) { return entries > 0; });
}

void PrintTable(const client::AttendResult& result, const client::ContextInfo& info,
                uint32_t show) {
  Table table({"RANK", "POSITION", "SCORE"});
  for (uint32_t i = 0; i < std::min(show, result.selection.top_k); ++i) {
    if (result.selection.positions[i] < 0) break;
    table.Add({absl::StrCat(i), absl::StrCat(result.selection.positions[i]),
               absl::StrFormat("%.6f", result.selection.scores[i])});
  }
  std::cout << table.ToString()
            << absl::StrFormat("lse[0] %.6f; %d entries scanned on %d of %d shards in %d us\n",
                               result.lse[0], result.stats.entries_scanned, ShardsWithEntries(info),
                               result.stats.shards, result.stats.total_us);
  if (result.stats.cold_rows == 0 && result.stats.cold_index_bytes == 0) return;
  std::cout << absl::StrFormat("%d rows cold, %d of them cached; %s of index keys from disk\n",
                               result.stats.cold_rows, result.stats.cached_rows,
                               FormatBytes(result.stats.cold_index_bytes));
}

int Attend(const Globals& globals, const AttendFlags& flags) {
  client::Client client = globals.Connect();
  absl::StatusOr<client::Context> context = client.OpenContext(flags.id);
  if (!context.ok()) return Fail(context.status());
  absl::StatusOr<client::ContextInfo> info = context->Describe();
  if (!info.ok()) return Fail(info.status());
  if (info->entries == 0) {
    return Fail(Error(absl::StatusCode::kFailedPrecondition, "NO_ENTRIES",
                      absl::StrCat("context ", flags.id, " has no entries yet")));
  }
  Synthetic synthetic(context->profile(), flags.seed);
  client::AttendRequest request = synthetic.Query(flags.layer, info->entries, 1, 0);
  request.return_selection = true;
  absl::StatusOr<client::AttendResult> result = context->Attend(request);
  if (!result.ok()) return Fail(result.status());
  if (!globals.json) {
    PrintTable(*result, *info, flags.show);
    return kOk;
  }
  CallLog log;
  log.Add(static_cast<double>(result->stats.total_us), result->stats);
  std::cout << nlohmann::ordered_json{{"positions", result->selection.positions},
                                      {"scores", result->selection.scores},
                                      {"lse", result->lse},
                                      {"entries_scanned", result->stats.entries_scanned},
                                      {"shards", result->stats.shards},
                                      {"shards_with_entries", ShardsWithEntries(*info)},
                                      {"bytes_moved", result->stats.bytes_moved},
                                      {"cold_index_bytes", result->stats.cold_index_bytes},
                                      {"cold_rows", result->stats.cold_rows},
                                      {"cached_rows", result->stats.cached_rows},
                                      {"stages_us", log.Stages()}}
                   .dump(2)
            << "\n";
  return kOk;
}

}  // namespace

void AddAttendCommand(CLI::App& app, const Globals& globals, Run* run) {
  CLI::App* attend = app.add_subcommand("attend", "Attend over a context with a random query");
  auto flags = std::make_shared<AttendFlags>();
  attend->add_option("id", flags->id, "context")->required();
  AddNumber(attend, "--layer", 0, kMaxLayers - 1, &flags->layer,
            "of the model, with keys of its own");
  AddSeed(attend, &flags->seed, "of the query");
  AddNumber(attend, "--show", 0, kernels::kMaxTopK, &flags->show, "best entries to list");
  attend->callback(
      [&globals, run, flags] { *run = [&globals, flags] { return Attend(globals, *flags); }; });
}

}  // namespace winnow::ctl
