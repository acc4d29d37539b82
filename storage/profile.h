#ifndef WINNOW_STORAGE_PROFILE_H_
#define WINNOW_STORAGE_PROFILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/layout.h"

namespace winnow {

// What a layer keeps.
enum class LayerKind : uint8_t {
  kNone = 1,    // nothing
  kOwn = 2,     // index keys and KV rows
  kShared = 3,  // KV rows; attends over the selection of the last kOwn layer before it
};

// The shape of a model's attention. Immutable once registered.
struct Profile {
  std::string name;
  kernels::KeyFormat key_format = kernels::KeyFormat::kFp8E4M3;
  kernels::RowFormat row_format = kernels::RowFormat::kFp8FlashMla;
  int index_heads = 0;
  int index_dim = 0;
  int latent_dim = 0;
  int rope_dim = 0;
  int query_heads = 0;
  int top_k = 0;
  float softmax_scale = 0;  // of logits, with what YaRN makes of it
  std::vector<LayerKind> layers;

  size_t key_bytes() const { return kernels::KeyBytes(key_format, index_dim); }
  size_t row_bytes() const { return kernels::RowBytes(row_format, latent_dim, rope_dim); }
  // One attention query head, bf16.
  size_t attend_query_bytes() const { return size_t{2} * (latent_dim + rope_dim); }
  bool stores(int layer) const { return layers[layer] != LayerKind::kNone; }
  bool has_index(int layer) const { return layers[layer] == LayerKind::kOwn; }

  friend bool operator==(const Profile&, const Profile&) = default;
};

inline constexpr int kMaxLayers = 256;

// OK, or INVALID_ARGUMENT that names the field, its value and its limit (the limits of
// kernels/layout.h and of the proto's Profile).
absl::Status ValidateProfile(const Profile& profile);

// 32 hexadecimal characters: XXH3-128 of a canonical, versioned encoding. Equal exactly for equal
// profiles. The profile must be valid.
std::string Fingerprint(const Profile& profile);

// Shapes of published models and their softmax scales: "deepseek-v3.2" (and -Exp), "glm-5"
// (and 5.1), "glm-5.2" (and 5.3), "deepseek-v4-flash", "deepseek-v4-pro". NOT_FOUND lists the
// names.
absl::StatusOr<Profile> PresetProfile(std::string_view name);
std::vector<std::string> PresetNames();

}  // namespace winnow

#endif  // WINNOW_STORAGE_PROFILE_H_
