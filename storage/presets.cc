#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/error.h"
#include "storage/profile.h"

namespace winnow {
namespace {

constexpr int kMlaLatentDim = 512;
constexpr int kMlaRopeDim = 64;
// Query and key dims before the up-projections are absorbed: 128 without and 64 with RoPE.
const float kMlaScale = 1 / std::sqrt(192.0f);

std::vector<LayerKind> AllOwn(int layers) {
  return std::vector<LayerKind>(layers, LayerKind::kOwn);
}

// GLM-5.2 indexes layers 0, 1, 2, 6, 10, ... 74; the others share.
std::vector<LayerKind> Glm52Layers() {
  std::vector<LayerKind> layers(78, LayerKind::kShared);
  layers[0] = layers[1] = LayerKind::kOwn;
  for (int layer = 2; layer <= 74; layer += 4) layers[layer] = LayerKind::kOwn;
  return layers;
}

Profile Mla(const char* name, std::vector<LayerKind> layers, int index_heads, int query_heads,
            int top_k) {
  Profile profile;
  profile.name = name;
  profile.key_format = kernels::KeyFormat::kFp8E4M3;
  profile.row_format = kernels::RowFormat::kFp8FlashMla;
  profile.index_heads = index_heads;
  profile.index_dim = 128;
  profile.latent_dim = kMlaLatentDim;
  profile.rope_dim = kMlaRopeDim;
  profile.query_heads = query_heads;
  profile.top_k = top_k;
  profile.softmax_scale = kMlaScale;
  profile.layers = std::move(layers);
  return profile;
}

// DeepSeek-V4's stream of compressed entries, one per four tokens; its dense window and its heavily
// compressed stream stay with the engine.
Profile V4(const char* name, int layers, int query_heads, int top_k) {
  Profile profile = Mla(name, AllOwn(layers), 64, query_heads, top_k);
  profile.key_format = kernels::KeyFormat::kMxFp4;
  return profile;
}

std::vector<Profile> Presets() {
  return {Mla("deepseek-v3.2", AllOwn(61), 64, 128, 2048), Mla("glm-5", AllOwn(78), 32, 64, 2048),
          Mla("glm-5.2", Glm52Layers(), 32, 64, 2048),
          // What is not published of V4's two sizes follows the one that is.
          V4("deepseek-v4-flash", 43, 64, 512), V4("deepseek-v4-pro", 61, 128, 1024)};
}

}  // namespace

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const Profile& profile : Presets()) names.push_back(profile.name);
  return names;
}

absl::StatusOr<Profile> PresetProfile(std::string_view name) {
  for (Profile& profile : Presets()) {
    if (profile.name == name) return std::move(profile);
  }
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_PRESET",
               absl::StrCat("no preset is called '", std::string(name), "'; there are ",
                            absl::StrJoin(PresetNames(), ", ")));
}

}  // namespace winnow
