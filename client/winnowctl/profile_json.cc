#include "client/winnowctl/profile_json.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow::ctl {
namespace {

using nlohmann::json;

constexpr size_t kShownBytes = 64;

// By the numbers of their enums, which begin at 1.
constexpr std::array<const char*, 4> kKeyFormats = {"fp8_e4m3", "mxfp4", "bf16", "int8"};
constexpr std::array<const char*, 2> kRowFormats = {"bf16", "fp8_flashmla"};
constexpr std::array<const char*, 3> kLayerKinds = {"none", "own", "shared"};

template <typename Enum, size_t n>
const char* NameOf(Enum value, const std::array<const char*, n>& names) {
  return names[static_cast<size_t>(value) - 1];
}

absl::Status Wrong(const std::string& field, const json& value, const std::string& limit) {
  std::string shown = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (shown.size() > kShownBytes) shown = shown.substr(0, kShownBytes) + "...";
  return InvalidField(field, shown, limit);
}

absl::Status ReadInt(const std::string& field, const json& value, int* to) {
  constexpr int kMax = std::numeric_limits<int>::max();
  const bool fits = value.is_number_unsigned()
                        ? value.get<uint64_t>() <= uint64_t{kMax}
                        : value.is_number_integer() && value.get<int64_t>() >= -int64_t{kMax};
  if (!fits) return Wrong(field, value, absl::StrCat("a whole number of at most ", kMax));
  *to = value.get<int>();
  return absl::OkStatus();
}

template <typename Enum, size_t n>
absl::Status ReadName(const std::string& field, const json& value,
                      const std::array<const char*, n>& names, Enum* to) {
  std::string known;
  for (size_t i = 0; i < n; ++i) {
    if (value.is_string() && value.get_ref<const std::string&>() == names[i]) {
      *to = static_cast<Enum>(i + 1);
      return absl::OkStatus();
    }
    absl::StrAppend(&known, i == 0 ? "" : ", ", names[i]);
  }
  return Wrong(field, value, "one of " + known);
}

absl::Status ReadLayers(const std::string& field, const json& value,
                        std::vector<LayerKind>* layers) {
  if (!value.is_array()) return Wrong(field, value, "a list of none, own and shared");
  layers->resize(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    absl::Status status =
        ReadName(absl::StrCat(field, "[", i, "]"), value[i], kLayerKinds, &(*layers)[i]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ReadField(const std::string& field, const json& value, Profile* p) {
  if (field == "name") {
    if (!value.is_string()) return Wrong(field, value, "a string");
    p->name = value.get<std::string>();
    return absl::OkStatus();
  }
  if (field == "softmax_scale") {
    if (!value.is_number()) return Wrong(field, value, "a number");
    p->softmax_scale = value.get<float>();
    return absl::OkStatus();
  }
  if (field == "index_key_format") return ReadName(field, value, kKeyFormats, &p->key_format);
  if (field == "kv_row_format") return ReadName(field, value, kRowFormats, &p->row_format);
  if (field == "index_heads") return ReadInt(field, value, &p->index_heads);
  if (field == "index_dim") return ReadInt(field, value, &p->index_dim);
  if (field == "query_heads") return ReadInt(field, value, &p->query_heads);
  if (field == "latent_dim") return ReadInt(field, value, &p->latent_dim);
  if (field == "rope_dim") return ReadInt(field, value, &p->rope_dim);
  if (field == "top_k") return ReadInt(field, value, &p->top_k);
  return ReadLayers(field, value, &p->layers);
}

constexpr std::string_view kFields[] = {
    "name",       "index_key_format", "kv_row_format", "index_heads",   "index_dim",  "query_heads",
    "latent_dim", "rope_dim",         "top_k",         "softmax_scale", "layer_kinds"};
constexpr std::string_view kDerived[] = {"fingerprint", "layers", "indexed_layers", "key_bytes",
                                         "row_bytes"};

template <size_t n>
bool IsIn(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

absl::StatusOr<Profile> ReadProfile(const json& value) {
  if (!value.is_object()) return Wrong("a profile", value, "an object");
  for (const auto& [field, ignored] : value.items()) {
    if (IsIn(kFields, field) || IsIn(kDerived, field)) continue;
    return Error(absl::StatusCode::kInvalidArgument, "UNKNOWN_FIELD",
                 absl::StrCat(field, " is no field of a profile"));
  }
  Profile profile;
  for (const std::string_view name : kFields) {
    const std::string field(name);
    const auto it = value.find(field);
    if (it == value.end()) {
      return Error(absl::StatusCode::kInvalidArgument, "MISSING_FIELD",
                   absl::StrCat(field, " is missing"));
    }
    if (absl::Status status = ReadField(field, *it, &profile); !status.ok()) return status;
  }
  if (const auto it = value.find("layers"); it != value.end() && *it != profile.layers.size()) {
    return Wrong("layers", *it,
                 absl::StrCat("what layer_kinds has, ", profile.layers.size(), ", or left out"));
  }
  if (absl::Status status = ValidateProfile(profile); !status.ok()) return status;
  return profile;
}

}  // namespace

nlohmann::ordered_json ToJson(const Profile& p) {
  std::vector<std::string> kinds;
  for (const LayerKind kind : p.layers) kinds.emplace_back(NameOf(kind, kLayerKinds));
  return {{"fingerprint", Fingerprint(p)},
          {"name", p.name},
          {"index_key_format", NameOf(p.key_format, kKeyFormats)},
          {"kv_row_format", NameOf(p.row_format, kRowFormats)},
          {"layers", p.layers.size()},
          {"indexed_layers", std::count(p.layers.begin(), p.layers.end(), LayerKind::kOwn)},
          {"index_heads", p.index_heads},
          {"index_dim", p.index_dim},
          {"query_heads", p.query_heads},
          {"latent_dim", p.latent_dim},
          {"rope_dim", p.rope_dim},
          {"top_k", p.top_k},
          {"softmax_scale", p.softmax_scale},
          {"key_bytes", p.key_bytes()},
          {"row_bytes", p.row_bytes()},
          {"layer_kinds", kinds}};
}

absl::StatusOr<std::vector<Profile>> ProfilesFromJson(const std::string& text) {
  const json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_JSON", "this is not JSON");
  }
  const json all = parsed.is_array() ? parsed : json::array({parsed});
  std::vector<Profile> profiles;
  for (const json& value : all) {
    absl::StatusOr<Profile> profile = ReadProfile(value);
    if (profile.ok()) {
      profiles.push_back(*std::move(profile));
    } else if (all.size() == 1) {
      return profile.status();
    } else {
      return absl::InvalidArgumentError(absl::StrCat("profile ", profiles.size() + 1, " of ",
                                                     all.size(), ": ", profile.status().message()));
    }
  }
  if (profiles.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "NO_PROFILE", "there is no profile in it");
  }
  return profiles;
}

}  // namespace winnow::ctl
