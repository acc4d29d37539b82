#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "storage/error.h"
#include "storage/profile.h"

namespace winnow {
namespace {

Profile Preset(const std::string& name) {
  const absl::StatusOr<Profile> profile = PresetProfile(name);
  EXPECT_TRUE(profile.ok()) << profile.status();
  return profile.value_or(Profile());
}

std::vector<int> LayersOf(const Profile& profile, LayerKind kind) {
  std::vector<int> layers;
  for (size_t i = 0; i < profile.layers.size(); ++i) {
    if (profile.layers[i] == kind) layers.push_back(static_cast<int>(i));
  }
  return layers;
}

// A model's published shape.
struct Published {
  const char* name;
  size_t layers;
  int index_heads;
  int query_heads;
  int top_k;
  size_t key_bytes;
  float softmax_scale;
};

const Published kPublished[] = {
    {"deepseek-v3.2", 61, 64, 128, 2048, 132, 0.13523377f},
    {"glm-5", 78, 32, 64, 2048, 132, 0.0625f},
    {"glm-5.2", 78, 32, 64, 2048, 132, 0.0625f},
    {"deepseek-v4-flash", 43, 64, 64, 512, 68, 0.044194174f},
    {"deepseek-v4-pro", 61, 64, 128, 1024, 68, 0.044194174f},
};

TEST(Presets, HaveThePublishedShapes) {
  for (const Published& published : kPublished) {
    SCOPED_TRACE(published.name);
    const Profile profile = Preset(published.name);
    EXPECT_EQ(profile.name, published.name);
    EXPECT_EQ(profile.layers.size(), published.layers);
    EXPECT_EQ(profile.index_heads, published.index_heads);
    EXPECT_EQ(profile.index_dim, 128);
    EXPECT_EQ(profile.query_heads, published.query_heads);
    EXPECT_EQ(profile.top_k, published.top_k);
    EXPECT_EQ(profile.latent_dim, 512);
    EXPECT_EQ(profile.rope_dim, 64);
    EXPECT_EQ(profile.key_bytes(), published.key_bytes);
    EXPECT_EQ(profile.row_bytes(), 656u);
    EXPECT_FLOAT_EQ(profile.softmax_scale, published.softmax_scale);
  }
}

TEST(Presets, IndexEveryLayerExceptInGlm52) {
  for (const std::string& name : PresetNames()) {
    if (name == "glm-5.2") continue;
    const Profile profile = Preset(name);
    EXPECT_EQ(LayersOf(profile, LayerKind::kOwn).size(), profile.layers.size()) << name;
  }
}

TEST(Presets, ShareMostLayersOfGlm52) {
  const Profile profile = Preset("glm-5.2");
  EXPECT_THAT(LayersOf(profile, LayerKind::kOwn),
              testing::ElementsAre(0, 1, 2, 6, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 54, 58,
                                   62, 66, 70, 74));
  EXPECT_EQ(LayersOf(profile, LayerKind::kShared).size(), 78u - 21);
}

TEST(Presets, AreNamedInOrder) {
  EXPECT_THAT(PresetNames(), testing::ElementsAre("deepseek-v3.2", "glm-5", "glm-5.2",
                                                  "deepseek-v4-flash", "deepseek-v4-pro"));
}

TEST(Presets, AreValidAndDistinct) {
  std::set<std::string> fingerprints;
  for (const std::string& name : PresetNames()) {
    const Profile profile = Preset(name);
    const absl::Status status = ValidateProfile(profile);
    EXPECT_TRUE(status.ok()) << status;
    fingerprints.insert(Fingerprint(profile));
  }
  EXPECT_EQ(fingerprints.size(), PresetNames().size());
}

TEST(Presets, ThatAreUnknownListTheNames) {
  for (const std::string name : {"", "glm-6", "GLM-5", "glm-5 "}) {
    const absl::Status status = PresetProfile(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(ErrorReason(status), "UNKNOWN_PRESET");
    EXPECT_EQ(std::string(status.message()),
              "no preset is called '" + name +
                  "'; there are deepseek-v3.2, glm-5, glm-5.2, deepseek-v4-flash, deepseek-v4-pro");
  }
}

}  // namespace
}  // namespace winnow
