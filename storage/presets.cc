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

// What logits are multiplied by: of so many dims of a query head and a key, before MLA's
// up-projections are absorbed. YaRN multiplies query and key by 0.1 ln(factor) + 1 each.
float SoftmaxScale(int head_dims, double yarn_factor = 1) {
  const double attention_factor = 0.1 * std::log(yarn_factor) + 1;
  return static_cast<float>(attention_factor * attention_factor / std::sqrt(head_dims));
}

// Of 128 dims without RoPE and 64 with it, in 40 times the context that it was first trained on.
const float kDeepSeekV32Scale = SoftmaxScale(128 + 64, 40);
// Of 192 and 64, without YaRN.
const float kGlm5Scale = SoftmaxScale(192 + 64);
// Of entries that are keys and values as they are. Its YaRN leaves logits alone.
const float kDeepSeekV4Scale = SoftmaxScale(512);

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
            int top_k, float softmax_scale) {
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
  profile.softmax_scale = softmax_scale;
  profile.layers = std::move(layers);
  return profile;
}

// DeepSeek-V4's stream of compressed entries, one per four tokens; its dense window and its heavily
// compressed stream stay with the engine. Which layers have such a stream is the engine's to say,
// by a profile of its own; this one has it in all. An entry's 512 dims are the latent, those with
// RoPE among them, and the row's own 64 are zero.
Profile V4(const char* name, int layers, int query_heads, int top_k) {
  Profile profile = Mla(name, AllOwn(layers), 64, query_heads, top_k, kDeepSeekV4Scale);
  profile.key_format = kernels::KeyFormat::kMxFp4;
  return profile;
}

std::vector<Profile> Presets() {
  return {Mla("deepseek-v3.2", AllOwn(61), 64, 128, 2048, kDeepSeekV32Scale),
          Mla("glm-5", AllOwn(78), 32, 64, 2048, kGlm5Scale),
          Mla("glm-5.2", Glm52Layers(), 32, 64, 2048, kGlm5Scale),
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
