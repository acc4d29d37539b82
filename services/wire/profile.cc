#include "services/wire/profile.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "storage/error.h"

namespace winnow::wire {
namespace {

// A count that does not fit becomes the largest int, which ValidateProfile refuses.
int ToInt(uint32_t value) {
  return static_cast<int>(std::min<uint32_t>(value, std::numeric_limits<int>::max()));
}

absl::Status CheckEnums(const v1::Profile& message) {
  if (message.index_key_format() < v1::INDEX_KEY_FORMAT_FP8_E4M3 ||
      message.index_key_format() > v1::INDEX_KEY_FORMAT_INT8) {
    return InvalidField("index_key_format", absl::StrCat(message.index_key_format()),
                        "FP8_E4M3 (1), MXFP4 (2), BF16 (3) or INT8 (4)");
  }
  if (message.kv_row_format() != v1::KV_ROW_FORMAT_BF16 &&
      message.kv_row_format() != v1::KV_ROW_FORMAT_FP8_FLASHMLA) {
    return InvalidField("kv_row_format", absl::StrCat(message.kv_row_format()),
                        "BF16 (1) or FP8_FLASHMLA (2)");
  }
  if (message.layers_size() > kMaxLayers) {
    return InvalidField("layers", absl::StrCat(message.layers_size(), " layers"),
                        absl::StrCat("1..", kMaxLayers, " layers"));
  }
  for (int i = 0; i < message.layers_size(); ++i) {
    if (message.layers(i) < v1::LAYER_KIND_NONE || message.layers(i) > v1::LAYER_KIND_SHARED) {
      return InvalidField(absl::StrCat("layers[", i, "]"), absl::StrCat(message.layers(i)),
                          "NONE (1), OWN (2) or SHARED (3)");
    }
  }
  return absl::OkStatus();
}

}  // namespace

// The enums of the proto and of our own types have the same values.
absl::StatusOr<Profile> ToProfile(const v1::Profile& message) {
  if (absl::Status status = CheckEnums(message); !status.ok()) return status;
  Profile profile;
  profile.name = message.name();
  profile.key_format = static_cast<kernels::KeyFormat>(message.index_key_format());
  profile.row_format = static_cast<kernels::RowFormat>(message.kv_row_format());
  profile.index_heads = ToInt(message.index_heads());
  profile.index_dim = ToInt(message.index_dim());
  profile.latent_dim = ToInt(message.latent_dim());
  profile.rope_dim = ToInt(message.rope_dim());
  profile.query_heads = ToInt(message.query_heads());
  profile.top_k = ToInt(message.top_k());
  profile.softmax_scale = message.softmax_scale();
  for (int kind : message.layers()) profile.layers.push_back(static_cast<LayerKind>(kind));
  if (absl::Status status = ValidateProfile(profile); !status.ok()) return status;
  return profile;
}

v1::Profile FromProfile(const Profile& profile) {
  v1::Profile message;
  message.set_name(profile.name);
  message.set_index_key_format(static_cast<v1::IndexKeyFormat>(profile.key_format));
  message.set_kv_row_format(static_cast<v1::KvRowFormat>(profile.row_format));
  message.set_index_heads(profile.index_heads);
  message.set_index_dim(profile.index_dim);
  message.set_latent_dim(profile.latent_dim);
  message.set_rope_dim(profile.rope_dim);
  message.set_query_heads(profile.query_heads);
  message.set_top_k(profile.top_k);
  message.set_softmax_scale(profile.softmax_scale);
  for (LayerKind kind : profile.layers) message.add_layers(static_cast<v1::LayerKind>(kind));
  return message;
}

}  // namespace winnow::wire
