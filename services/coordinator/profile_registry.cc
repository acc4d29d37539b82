#include "services/coordinator/profile_registry.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/coordinator/validate.h"
#include "storage/error.h"

namespace winnow::coordinator {
namespace {

constexpr char kPrefix[] = "profiles/";
constexpr int kVersion = 1;

// The stored value, version 1: a JSON object of the profile's fields, formats and layer kinds as
// the numbers that their enums have in the proto.
std::string Encode(const Profile& p) {
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerKind kind : p.layers) layers.push_back(static_cast<int>(kind));
  return nlohmann::json{{"version", kVersion},
                        {"name", p.name},
                        {"index_key_format", static_cast<int>(p.key_format)},
                        {"kv_row_format", static_cast<int>(p.row_format)},
                        {"index_heads", p.index_heads},
                        {"index_dim", p.index_dim},
                        {"latent_dim", p.latent_dim},
                        {"rope_dim", p.rope_dim},
                        {"query_heads", p.query_heads},
                        {"top_k", p.top_k},
                        {"softmax_scale", p.softmax_scale},
                        {"layers", layers}}
      .dump();
}

// False if a field is missing or of another type.
bool DecodeFields(const nlohmann::json& json, Profile* p) {
  const auto number = [&json](const char* field, auto* value) {
    const auto it = json.find(field);
    if (it == json.end() || !it->is_number()) return false;
    *value = static_cast<std::remove_pointer_t<decltype(value)>>(it->get<double>());
    return true;
  };
  int version = 0;
  int key_format = 0;
  int row_format = 0;
  if (!json.is_object() || !number("version", &version) || version != kVersion ||
      !number("index_key_format", &key_format) || !number("kv_row_format", &row_format) ||
      !number("index_heads", &p->index_heads) || !number("index_dim", &p->index_dim) ||
      !number("latent_dim", &p->latent_dim) || !number("rope_dim", &p->rope_dim) ||
      !number("query_heads", &p->query_heads) || !number("top_k", &p->top_k) ||
      !number("softmax_scale", &p->softmax_scale) || !json.contains("name") ||
      !json["name"].is_string() || !json.contains("layers") || !json["layers"].is_array()) {
    return false;
  }
  p->name = json["name"].get<std::string>();
  p->key_format = static_cast<kernels::KeyFormat>(key_format);
  p->row_format = static_cast<kernels::RowFormat>(row_format);
  for (const nlohmann::json& kind : json["layers"]) {
    if (!kind.is_number_integer()) return false;
    p->layers.push_back(static_cast<LayerKind>(kind.get<int>()));
  }
  return true;
}

absl::StatusOr<Profile> Decode(const std::string& fingerprint, const std::string& value) {
  Profile profile;
  const nlohmann::json json = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
  if (DecodeFields(json, &profile) && ValidateProfile(profile).ok() &&
      Fingerprint(profile) == fingerprint) {
    return profile;
  }
  return Error(absl::StatusCode::kDataLoss, "BAD_METADATA",
               absl::StrCat("what is stored under ", kPrefix, fingerprint, " is not that profile"));
}

}  // namespace

absl::StatusOr<std::string> ProfileRegistry::Register(const Profile& profile) {
  if (absl::Status status = ValidateProfile(profile); !status.ok()) return status;
  const std::string fingerprint = Fingerprint(profile);
  absl::StatusOr<int64_t> written =
      metadata_.Put(kPrefix + fingerprint, Encode(profile), /*expected_revision=*/0);
  if (!written.ok() && ErrorReason(written.status()) != "REVISION_MISMATCH") {
    return written.status();
  }
  return fingerprint;
}

absl::StatusOr<Profile> ProfileRegistry::Find(const std::string& fingerprint) const {
  absl::StatusOr<cluster::MetadataEntry> entry = metadata_.Get(kPrefix + fingerprint);
  if (entry.ok()) return Decode(fingerprint, entry->value);
  if (entry.status().code() != absl::StatusCode::kNotFound) return entry.status();
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_PROFILE",
               absl::StrCat("no profile has the fingerprint '",
                            absl::CHexEscape(fingerprint.substr(0, 64)), "'; register it first"));
}

absl::StatusOr<std::vector<std::pair<std::string, Profile>>> ProfileRegistry::List() const {
  absl::StatusOr<std::vector<cluster::MetadataEntry>> entries = metadata_.List(kPrefix);
  if (!entries.ok()) return entries.status();
  std::vector<std::pair<std::string, Profile>> profiles;
  for (const cluster::MetadataEntry& entry : *entries) {
    const std::string fingerprint = entry.key.substr(sizeof kPrefix - 1);
    absl::StatusOr<Profile> profile = Decode(fingerprint, entry.value);
    if (!profile.ok()) return profile.status();
    profiles.emplace_back(fingerprint, *std::move(profile));
  }
  return profiles;
}

}  // namespace winnow::coordinator
