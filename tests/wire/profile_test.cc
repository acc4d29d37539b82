#include "services/wire/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "storage/error.h"
#include "tests/wire/samples.h"

namespace winnow::wire {
namespace {

using Change = std::function<void(v1::Profile*)>;

absl::Status Refusal(const Change& change) {
  v1::Profile message = FromProfile(SmallProfile());
  change(&message);
  return ToProfile(message).status();
}

void ExpectRefused(const std::string& field, const Change& change) {
  const absl::Status status = Refusal(change);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field << ": " << status;
  EXPECT_EQ(ErrorReason(status), "BAD_FIELD") << field;
  EXPECT_EQ(ErrorFacts(status)["field"], field);
}

TEST(ProfileMessage, EveryPresetSurvivesTheWire) {
  for (const std::string& name : PresetNames()) {
    const Profile profile = PresetProfile(name).value();
    v1::Profile message;
    ASSERT_TRUE(message.ParseFromString(FromProfile(profile).SerializeAsString()));
    const absl::StatusOr<Profile> read = ToProfile(message);
    ASSERT_TRUE(read.ok()) << name << ": " << read.status();
    EXPECT_EQ(*read, profile) << name;
    EXPECT_EQ(Fingerprint(*read), Fingerprint(profile)) << name;
  }
}

TEST(ProfileMessage, FieldsAreCalledWhatTheyAre) {
  const v1::Profile message = FromProfile(SmallProfile());
  EXPECT_EQ(message.name(), "small");
  EXPECT_EQ(message.index_key_format(), v1::INDEX_KEY_FORMAT_MXFP4);
  EXPECT_EQ(message.kv_row_format(), v1::KV_ROW_FORMAT_BF16);
  EXPECT_EQ(message.index_heads(), 3u);
  EXPECT_EQ(message.index_dim(), 64u);
  EXPECT_EQ(message.latent_dim(), 96u);
  EXPECT_EQ(message.rope_dim(), 16u);
  EXPECT_EQ(message.query_heads(), 5u);
  EXPECT_EQ(message.top_k(), 7u);
  EXPECT_EQ(message.softmax_scale(), 0.25f);
  EXPECT_THAT(message.layers(), ::testing::ElementsAre(v1::LAYER_KIND_OWN, v1::LAYER_KIND_SHARED));
}

TEST(ProfileMessage, UnknownEnumValuesAreRefused) {
  for (const int value : {0, 5, -1, 257}) {
    ExpectRefused("index_key_format", [value](v1::Profile* profile) {
      profile->set_index_key_format(static_cast<v1::IndexKeyFormat>(value));
    });
  }
  for (const int value : {0, 3, -1, 258}) {
    ExpectRefused("kv_row_format", [value](v1::Profile* profile) {
      profile->set_kv_row_format(static_cast<v1::KvRowFormat>(value));
    });
  }
  // 258 is 2, an own layer, to whoever keeps a byte of it.
  for (const int value : {0, 4, -1, 258}) {
    ExpectRefused("layers[1]", [value](v1::Profile* profile) {
      profile->set_layers(1, static_cast<v1::LayerKind>(value));
    });
  }
}

TEST(ProfileMessage, CountsThatDoNotFitAnIntAreRefused) {
  // 2^32 - 1 is -1 to whoever casts it.
  for (const uint32_t value : {1u << 31, std::numeric_limits<uint32_t>::max()}) {
    ExpectRefused("index_heads", [value](v1::Profile* p) { p->set_index_heads(value); });
    ExpectRefused("index_dim", [value](v1::Profile* p) { p->set_index_dim(value); });
    ExpectRefused("latent_dim", [value](v1::Profile* p) { p->set_latent_dim(value); });
    ExpectRefused("rope_dim", [value](v1::Profile* p) { p->set_rope_dim(value); });
    ExpectRefused("query_heads", [value](v1::Profile* p) { p->set_query_heads(value); });
    ExpectRefused("top_k", [value](v1::Profile* p) { p->set_top_k(value); });
  }
}

TEST(ProfileMessage, WhatCannotBeServedIsRefused) {
  ExpectRefused("name", [](v1::Profile* p) { p->clear_name(); });
  ExpectRefused("top_k", [](v1::Profile* p) { p->clear_top_k(); });
  ExpectRefused("softmax_scale", [](v1::Profile* p) { p->clear_softmax_scale(); });
  ExpectRefused("softmax_scale", [](v1::Profile* p) {
    p->set_softmax_scale(std::numeric_limits<float>::quiet_NaN());
  });
  ExpectRefused("layers", [](v1::Profile* p) { p->clear_layers(); });
  ExpectRefused("layers[0]", [](v1::Profile* p) { p->set_layers(0, v1::LAYER_KIND_SHARED); });
  ExpectRefused("layers", [](v1::Profile* p) {
    for (int i = 0; i < kMaxLayers - 1; ++i) p->add_layers(v1::LAYER_KIND_OWN);
  });
}

TEST(ProfileMessage, AsManyLayersAsAllowedAreTaken) {
  EXPECT_TRUE(Refusal([](v1::Profile* p) {
                for (int i = 0; i < kMaxLayers - 2; ++i) p->add_layers(v1::LAYER_KIND_OWN);
              }).ok());
}

}  // namespace
}  // namespace winnow::wire
