#include "client/winnowctl/profile_commands.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/table.h"
#include "storage/profile.h"

namespace winnow::ctl {
namespace {

nlohmann::ordered_json ToJson(const std::string& fingerprint, const Profile& profile) {
  static constexpr const char* kKeyFormats[] = {"", "fp8_e4m3", "mxfp4", "bf16", "int8"};
  static constexpr const char* kRowFormats[] = {"", "bf16", "fp8_flashmla"};
  return {
      {"fingerprint", fingerprint},
      {"name", profile.name},
      {"index_key_format", kKeyFormats[static_cast<int>(profile.key_format)]},
      {"kv_row_format", kRowFormats[static_cast<int>(profile.row_format)]},
      {"layers", profile.layers.size()},
      {"indexed_layers", std::count(profile.layers.begin(), profile.layers.end(), LayerKind::kOwn)},
      {"index_heads", profile.index_heads},
      {"index_dim", profile.index_dim},
      {"query_heads", profile.query_heads},
      {"latent_dim", profile.latent_dim},
      {"rope_dim", profile.rope_dim},
      {"top_k", profile.top_k},
      {"softmax_scale", profile.softmax_scale},
      {"key_bytes", profile.key_bytes()},
      {"row_bytes", profile.row_bytes()}};
}

void Print(const Globals& globals, const std::vector<client::RegisteredProfile>& profiles) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"FINGERPRINT", "NAME", "LAYERS", "INDEXED", "INDEX HEADS", "TOP K", "KEY BYTES",
               "ROW BYTES"});
  for (const client::RegisteredProfile& registered : profiles) {
    const nlohmann::ordered_json json = ToJson(registered.fingerprint, registered.profile);
    table.Add({registered.fingerprint, registered.profile.name, json["layers"].dump(),
               json["indexed_layers"].dump(), json["index_heads"].dump(), json["top_k"].dump(),
               json["key_bytes"].dump(), json["row_bytes"].dump()});
    all.push_back(json);
  }
  std::cout << (globals.json ? all.dump(2) + "\n" : table.ToString());
}

int ListProfiles(const Globals& globals) {
  client::Client client = globals.Connect();
  absl::StatusOr<std::vector<client::RegisteredProfile>> profiles = client.ListProfiles();
  if (!profiles.ok()) return Fail(profiles.status());
  Print(globals, *profiles);
  return kOk;
}

int ListPresets(const Globals& globals) {
  std::vector<client::RegisteredProfile> presets;
  for (const std::string& name : PresetNames()) {
    Profile profile = *PresetProfile(name);
    presets.push_back({Fingerprint(profile), std::move(profile)});
  }
  Print(globals, presets);
  return kOk;
}

int Register(const Globals& globals, const std::string& name) {
  absl::StatusOr<Profile> preset = PresetProfile(name);
  if (!preset.ok()) return Fail(preset.status());
  client::Client client = globals.Connect();
  absl::StatusOr<std::string> fingerprint = client.RegisterProfile(*preset);
  if (!fingerprint.ok()) return Fail(fingerprint.status());
  Print(globals, {{*fingerprint, *preset}});
  return kOk;
}

}  // namespace

absl::StatusOr<std::string> ResolveProfile(client::Client& client, const std::string& name) {
  absl::StatusOr<std::vector<client::RegisteredProfile>> profiles = client.ListProfiles();
  if (!profiles.ok()) return profiles.status();
  for (const client::RegisteredProfile& registered : *profiles) {
    if (registered.fingerprint == name || registered.profile.name == name) {
      return registered.fingerprint;
    }
  }
  absl::StatusOr<Profile> preset = PresetProfile(name);
  if (!preset.ok()) {
    return absl::NotFoundError(absl::StrCat("no registered profile has the fingerprint or name '",
                                            name, "', and ", preset.status().message()));
  }
  return client.RegisterProfile(*preset);
}

void AddProfileCommands(CLI::App& app, const Globals& globals, Run* run) {
  CLI::App* profile = app.add_subcommand("profile", "Shapes of models");
  profile->require_subcommand(1);
  profile->add_subcommand("list", "Registered profiles")->callback([&globals, run] {
    *run = [&globals] { return ListProfiles(globals); };
  });
  profile->add_subcommand("presets", "Shapes of published models")->callback([&globals, run] {
    *run = [&globals] { return ListPresets(globals); };
  });
  CLI::App* register_command = profile->add_subcommand("register", "Register a preset");
  auto name = std::make_shared<std::string>();
  register_command->add_option("preset", *name, "name, see `profile presets`")->required();
  register_command->callback(
      [&globals, run, name] { *run = [&globals, name] { return Register(globals, *name); }; });
}

}  // namespace winnow::ctl
