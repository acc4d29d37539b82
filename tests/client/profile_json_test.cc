#include "client/winnowctl/profile_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace winnow::ctl {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using ::testing::HasSubstr;

std::string Refusal(const json& profile) {
  return std::string(ProfilesFromJson(profile.dump()).status().message());
}

TEST(ProfileJsonTest, WhatIsPrintedIsRead) {
  ordered_json all = ordered_json::array();
  for (const std::string& name : PresetNames()) {
    const Profile preset = *PresetProfile(name);
    all.push_back(ToJson(preset));
    const auto read = ProfilesFromJson(ToJson(preset).dump(2));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->size(), 1u);
    EXPECT_EQ(read->front(), preset) << name;
  }
  const auto read = ProfilesFromJson(all.dump());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), PresetNames().size());
}

TEST(ProfileJsonTest, WhatFollowsFromTheRestMayBeLeftOutOrStale) {
  const Profile preset = *PresetProfile("glm-5.2");
  json profile = ToJson(preset);
  profile["fingerprint"] = profile["key_bytes"] = "of another one";
  profile.erase("layers");
  const auto read = ProfilesFromJson(profile.dump());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->front(), preset);
}

TEST(ProfileJsonTest, ErrorsNameTheField) {
  const json good = ToJson(*PresetProfile("glm-5"));
  for (const auto& [field, value] : good.items()) {
    json lacking = good;
    lacking.erase(field);
    const bool derived = field == "fingerprint" || field == "layers" || field == "indexed_layers" ||
                         field == "key_bytes" || field == "row_bytes";
    EXPECT_EQ(Refusal(lacking), derived ? "" : field + " is missing");
    if (derived) continue;
    json wrong = good;
    wrong[field] = json::object();
    EXPECT_THAT(Refusal(wrong), HasSubstr(field + " is {}; it must be ")) << field;
  }
  for (const auto& [field, value, message] :
       std::vector<std::tuple<std::string, json, std::string>>{
           {"index_heads", 1.5, "index_heads is 1.5; it must be a whole number"},
           {"index_heads", uint64_t{1} << 32, "index_heads is 4294967296; it must be"},
           {"index_heads", 129, "index_heads is 129; it must be in 1..128"},
           {"index_dim", -128, "index_dim is -128; it must be a multiple of 32"},
           {"kv_row_format", "fp8",
            "kv_row_format is \"fp8\"; it must be one of bf16, fp8_flashmla"},
           {"layer_kinds", {"own", "mine"}, "layer_kinds[1] is \"mine\"; it must be one of none"},
           {"layers", 40, "layers is 40; it must be what layer_kinds has, 78"},
           {"softmax_scale", 0, "softmax_scale is 0; it must be finite and above zero"},
           {"index_head", 64, "index_head is no field of a profile"}}) {
    json bad = good;
    bad[field] = value;
    EXPECT_THAT(Refusal(bad), HasSubstr(message));
  }
  EXPECT_THAT(Refusal({good, 7}), HasSubstr("profile 2 of 2: a profile is 7"));
  EXPECT_EQ(Refusal(json::array()), "there is no profile in it");
  EXPECT_EQ(ProfilesFromJson("{").status().message(), "this is not JSON");
}

}  // namespace
}  // namespace winnow::ctl
