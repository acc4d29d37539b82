#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "client/winnowctl/commands.h"
#include "client/winnowctl/ranges.h"
#include "client/winnowctl/table.h"

namespace winnow::ctl {
namespace {

using client::SnapshotResult;
using client::StripeRange;

struct SnapshotFlags {
  std::string id;
  std::string directory;
};

using Step = std::function<absl::StatusOr<SnapshotResult>(StripeRange)>;

int Copy(const Globals& globals, const SnapshotFlags& flags, const std::string& what,
         const std::string& done, const Step& step) {
  uint64_t bytes = 0;
  const absl::Status status = ByRanges<SnapshotResult>(
      what, step, [&bytes](const SnapshotResult& result) { bytes += result.bytes; });
  if (!status.ok()) return Fail(status);
  if (globals.json) {
    std::cout << nlohmann::ordered_json{{"context_id", flags.id},
                                        {"directory", flags.directory},
                                        {"bytes", bytes}}
                     .dump(2)
              << "\n";
  } else {
    std::cout << done << " " << FormatBytes(bytes) << " of " << flags.id << "\n";
  }
  return kOk;
}

int Save(const Globals& globals, const SnapshotFlags& flags) {
  client::Client client = globals.Connect();
  absl::StatusOr<client::Context> context = client.OpenContext(flags.id);
  if (!context.ok()) return Fail(context.status());
  return Copy(globals, flags, "saving", "saved",
              [&](StripeRange range) { return context->SaveSnapshot(flags.directory, range); });
}

// The last name of a path, whether or not a slash follows it.
std::string LastName(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return std::filesystem::path(path).filename().string();
}

int Load(const Globals& globals, const SnapshotFlags& given) {
  SnapshotFlags flags = given;
  if (flags.id.empty()) flags.id = LastName(flags.directory);
  client::Client client = globals.Connect();
  return Copy(globals, flags, "loading", "loaded", [&](StripeRange range) {
    return client.LoadSnapshot(flags.id, flags.directory, range);
  });
}

}  // namespace

void AddSnapshotCommands(CLI::App& app, const Globals& globals, Run* run) {
  CLI::App* snapshot = app.add_subcommand("snapshot", "Contexts as files on the shards' machines");
  snapshot->require_subcommand(1);
  auto flags = std::make_shared<SnapshotFlags>();
  const auto add = [&](const char* name, const char* help, auto command) {
    CLI::App* sub = snapshot->add_subcommand(name, help);
    sub->callback([&globals, run, flags, command] {
      *run = [&globals, flags, command] { return command(globals, *flags); };
    });
    return sub;
  };
  CLI::App* save = add("save", "Write a context below a directory", Save);
  save->add_option("id", flags->id, "context")->required();
  save->add_option("directory", flags->directory, "an absolute path")->required();
  CLI::App* load = add("load", "Make a context of what was saved below a directory", Load);
  load->add_option("directory", flags->directory, "an absolute path")->required();
  load->add_option("--context", flags->id, "id of the new context; the directory's if not given");
}

}  // namespace winnow::ctl
