#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/ranges.h"
#include "client/winnowctl/table.h"
#include "storage/error.h"

namespace winnow::ctl {
namespace {

using client::ContextName;
using client::SnapshotResult;
using client::StripeRange;

struct SnapshotFlags {
  std::string id;
  std::string directory;
};

// The bytes that were written.
absl::StatusOr<uint64_t> SaveOne(client::Client& client, const std::string& id,
                                 const std::string& directory) {
  absl::StatusOr<client::Context> context = client.OpenContext(id);
  if (!context.ok()) return context.status();
  uint64_t bytes = 0;
  const absl::Status status = ByRanges<SnapshotResult>(
      "saving " + id, [&](StripeRange range) { return context->SaveSnapshot(directory, range); },
      [&](const SnapshotResult& result) { bytes += result.bytes; });
  if (!status.ok()) return status;
  return bytes;
}

// The bytes that were read.
absl::StatusOr<uint64_t> LoadOne(client::Client& client, const std::string& id,
                                 const std::string& directory) {
  uint64_t bytes = 0;
  const absl::Status status = ByRanges<SnapshotResult>(
      "loading " + id, [&](StripeRange range) { return client.LoadSnapshot(id, directory, range); },
      [&](const SnapshotResult& result) { bytes += result.bytes; });
  if (!status.ok()) return status;
  return bytes;
}

using CopyFn = decltype(&SaveOne);

int Copy(const Globals& globals, const SnapshotFlags& flags, const std::string& done, CopyFn copy) {
  client::Client client = globals.Connect();
  const absl::StatusOr<uint64_t> bytes = copy(client, flags.id, flags.directory);
  if (!bytes.ok()) return Fail(bytes.status());
  if (globals.json) {
    std::cout << nlohmann::ordered_json{{"context_id", flags.id},
                                        {"directory", flags.directory},
                                        {"bytes", *bytes}}
                     .dump(2)
              << "\n";
  } else {
    std::cout << done << " " << FormatBytes(*bytes) << " of " << flags.id << "\n";
  }
  return kOk;
}

int Save(const Globals& globals, const SnapshotFlags& flags) {
  return Copy(globals, flags, "saved", SaveOne);
}

// The last name of a path, whether or not a slash follows it.
std::string LastName(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return std::filesystem::path(path).filename().string();
}

int Load(const Globals& globals, const SnapshotFlags& given) {
  SnapshotFlags flags = given;
  if (flags.id.empty()) flags.id = LastName(flags.directory);
  return Copy(globals, flags, "loaded", LoadOne);
}

// Copies one after the other, each to or from <directory>/<tenant>/<context id>. One that fails
// does not keep the others back; one that is `gone` is left out.
int CopyAll(const Globals& globals, const std::string& directory,
            const std::vector<ContextName>& names, CopyFn copy, bool (*gone)(const absl::Status&)) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"TENANT", "CONTEXT", "BYTES"});
  int code = kOk;
  for (const ContextName& name : names) {
    client::Client client = globals.ConnectAs(name.tenant);
    const absl::StatusOr<uint64_t> bytes = copy(
        client, name.context_id, absl::StrCat(directory, "/", name.tenant, "/", name.context_id));
    if (gone(bytes.status())) continue;
    nlohmann::ordered_json row = {{"tenant", name.tenant}, {"context_id", name.context_id}};
    if (bytes.ok()) {
      row["bytes"] = *bytes;
      table.Add({name.tenant, name.context_id, FormatBytes(*bytes)});
    } else {
      code = Fail(bytes.status());
      row["error"] = std::string(bytes.status().message());
      table.Add({name.tenant, name.context_id, "failed"});
    }
    all.push_back(std::move(row));
    if (code == kUnreachable) break;
  }
  std::cout << (globals.json ? all.dump(2) + "\n" : table.ToString());
  return code;
}

int SaveAll(const Globals& globals, const SnapshotFlags& flags) {
  const absl::StatusOr<std::vector<ContextName>> names = ListAllContexts(globals);
  if (!names.ok()) return Fail(names.status());
  if (names->empty()) std::cerr << "winnowctl: there are no contexts, so nothing is saved\n";
  return CopyAll(globals, flags.directory, *names, SaveOne, IsGone);
}

int LoadAll(const Globals& globals, const SnapshotFlags& flags) {
  const absl::StatusOr<std::vector<ContextName>> names =
      globals.Connect().ListSnapshots(flags.directory);
  if (!names.ok()) return Fail(names.status());
  if (names->empty()) {
    return Fail(Error(absl::StatusCode::kNotFound, "NO_SNAPSHOT",
                      absl::StrCat("no shard has a snapshot at ", flags.directory,
                                   "/<tenant>/<context>, where save-all puts them")));
  }
  return CopyAll(globals, flags.directory, *names, LoadOne,
                 [](const absl::Status&) { return false; });
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
  const auto add_directory = [flags](CLI::App* sub) {
    sub->add_option_function<std::string>(
           "directory",
           [flags](const std::string& path) {
             if (!path.starts_with('/')) {
               throw CLI::ValidationError("directory is '" + path +
                                          "'; it must be an absolute path, as each shard's machine "
                                          "has its own");
             }
             flags->directory = path;
           },
           "an absolute path")
        ->required()
        ->type_name("");
  };
  CLI::App* save = add("save", "Write a context below a directory", Save);
  save->add_option("id", flags->id, "context")->required();
  add_directory(save);
  CLI::App* load = add("load", "Make a context of what was saved below a directory", Load);
  add_directory(load);
  load->add_option("--context", flags->id, "id of the new context; the directory's if not given");
  add_directory(add("save-all",
                    "Write every context of every tenant to <directory>/<tenant>/<context>",
                    SaveAll));
  add_directory(
      add("load-all", "Make contexts of all that save-all wrote below a directory", LoadAll));
}

}  // namespace winnow::ctl
