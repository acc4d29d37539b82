#include "client/winnowctl/profile_commands.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/winnowctl/commands.h"
#include "client/winnowctl/profile_json.h"
#include "client/winnowctl/table.h"
#include "storage/error.h"
#include "storage/profile.h"

namespace winnow::ctl {
namespace {

void Print(const Globals& globals, const std::vector<client::RegisteredProfile>& profiles) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"FINGERPRINT", "NAME", "LAYERS", "INDEXED", "INDEX HEADS", "TOP K", "KEY BYTES",
               "ROW BYTES"});
  for (const client::RegisteredProfile& registered : profiles) {
    const nlohmann::ordered_json json = ToJson(registered.profile);
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

int RegisterAll(const Globals& globals, const std::vector<Profile>& profiles) {
  client::Client client = globals.Connect();
  std::vector<client::RegisteredProfile> registered;
  for (const Profile& profile : profiles) {
    absl::StatusOr<std::string> fingerprint = client.RegisterProfile(profile);
    if (!fingerprint.ok()) return Fail(fingerprint.status());
    registered.push_back({*fingerprint, profile});
  }
  Print(globals, registered);
  return kOk;
}

int RegisterFile(const Globals& globals, const std::string& path) {
  constexpr size_t kMaxBytes = size_t{1} << 20;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (!file.is_open() || file.bad()) {
    return FailUsage(absl::StrCat(path, " cannot be read: ", strerror(errno)));
  }
  if (text.empty()) return FailUsage(path + " is empty");
  if (text.size() > kMaxBytes) {
    return FailUsage(absl::StrCat(path, " has more than ", kMaxBytes, " bytes"));
  }
  absl::StatusOr<std::vector<Profile>> profiles = ProfilesFromJson(text);
  if (!profiles.ok()) return FailUsage(absl::StrCat(path, ": ", profiles.status().message()));
  return RegisterAll(globals, *profiles);
}

struct RegisterFlags {
  std::string preset;
  std::string file;
};

int Register(const Globals& globals, const RegisterFlags& flags) {
  if (flags.preset.empty() == flags.file.empty()) {
    return FailUsage("profile register needs either the name of a preset or --file");
  }
  if (!flags.file.empty()) return RegisterFile(globals, flags.file);
  absl::StatusOr<Profile> preset = PresetProfile(flags.preset);
  return preset.ok() ? RegisterAll(globals, {*preset}) : Fail(preset.status());
}

// Contexts of a shape that was not meant would only show when they are filled.
absl::Status Ambiguous(const std::string& name, const std::set<std::string>& fingerprints) {
  return Error(absl::StatusCode::kFailedPrecondition, "AMBIGUOUS_PROFILE",
               absl::StrCat("several profiles, registered or preset, are called '", name,
                            "'; give the fingerprint of one: ", absl::StrJoin(fingerprints, ", ")));
}

}  // namespace

absl::StatusOr<std::string> ResolveProfile(client::Client& client, const std::string& name) {
  absl::StatusOr<std::vector<client::RegisteredProfile>> profiles = client.ListProfiles();
  if (!profiles.ok()) return profiles.status();
  std::set<std::string> named;
  for (const client::RegisteredProfile& registered : *profiles) {
    if (registered.fingerprint == name) return name;
    if (registered.profile.name == name) named.insert(registered.fingerprint);
  }
  const absl::StatusOr<Profile> preset = PresetProfile(name);
  if (named.empty() && !preset.ok()) {
    return absl::NotFoundError(absl::StrCat("no registered profile has the fingerprint or name '",
                                            name, "', and ", preset.status().message()));
  }
  const bool registered = !named.empty();
  if (preset.ok()) named.insert(Fingerprint(*preset));
  if (named.size() > 1) return Ambiguous(name, named);
  return registered ? *named.begin() : client.RegisterProfile(*preset);
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
  CLI::App* register_command =
      profile->add_subcommand("register", "Register a preset, or profiles of your own");
  auto flags = std::make_shared<RegisterFlags>();
  register_command->add_option("preset", flags->preset, "name, see `profile presets`");
  register_command
      ->add_option("--file", flags->file, "profiles as `profile list -o json` prints them")
      ->type_name("FILE");
  register_command->callback(
      [&globals, run, flags] { *run = [&globals, flags] { return Register(globals, *flags); }; });
}

}  // namespace winnow::ctl
