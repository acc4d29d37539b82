#include "storage/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "storage/error.h"
#include "tests/storage/test_profile.h"

namespace winnow {
namespace {

using Change = std::function<void(Profile&)>;
using kernels::KeyFormat;
using kernels::RowFormat;

constexpr float kInf = std::numeric_limits<float>::infinity();

Profile With(const Change& change) {
  Profile profile = TestProfile();
  change(profile);
  return profile;
}

void ExpectAccepted(const Profile& profile) {
  const absl::Status status = ValidateProfile(profile);
  EXPECT_TRUE(status.ok()) << status;
}

void ExpectRefused(const Profile& profile, const std::string& field, const std::string& value,
                   const std::string& limit) {
  const absl::Status status = ValidateProfile(profile);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field << " " << value;
  EXPECT_EQ(ErrorReason(status), "BAD_FIELD");
  EXPECT_EQ(ErrorFacts(status), (std::map<std::string, std::string>{
                                    {"field", field}, {"value", value}, {"limit", limit}}));
}

// The numbers that lie on both sides of each limit of a field.
struct IntLimits {
  const char* field;
  int Profile::*member;
  RowFormat row_format;
  const char* limit;
  std::vector<int> accepted;
  std::vector<int> refused;
};

const IntLimits kIntLimits[] = {
    {"index_heads", &Profile::index_heads, RowFormat::kBf16, "in 1..128", {1, 128}, {-1, 0, 129}},
    {"index_dim",
     &Profile::index_dim,
     RowFormat::kBf16,
     "a multiple of 32 in 32..256",
     {32, 96, 224, 256},
     {-32, 0, 16, 31, 33, 48, 255, 257, 288}},
    {"latent_dim",
     &Profile::latent_dim,
     RowFormat::kBf16,
     "a multiple of 32 in 32..1024",
     {32, 160, 992, 1024},
     {-32, 0, 16, 31, 33, 1023, 1025, 1056}},
    {"latent_dim",
     &Profile::latent_dim,
     RowFormat::kFp8FlashMla,
     "a multiple of 128 in 128..1024",
     {128, 256, 896, 1024},
     {-128, 0, 32, 64, 127, 129, 160, 992, 1152}},
    {"rope_dim",
     &Profile::rope_dim,
     RowFormat::kBf16,
     "a multiple of 16 in 0..256",
     {0, 16, 48, 256},
     {-16, -1, 1, 8, 15, 17, 255, 257, 272}},
    {"query_heads", &Profile::query_heads, RowFormat::kBf16, "in 1..256", {1, 256}, {-1, 0, 257}},
    {"top_k", &Profile::top_k, RowFormat::kBf16, "in 1..16384", {1, 16384}, {-1, 0, 16385}},
};

TEST(ValidateProfile, AcceptsTheTestProfile) { ExpectAccepted(TestProfile()); }

TEST(ValidateProfile, HoldsEveryNumberToItsLimits) {
  for (const IntLimits& limits : kIntLimits) {
    Profile profile = TestProfile();
    profile.row_format = limits.row_format;
    for (const int value : limits.accepted) {
      profile.*limits.member = value;
      ExpectAccepted(profile);
    }
    for (const int value : limits.refused) {
      profile.*limits.member = value;
      ExpectRefused(profile, limits.field, std::to_string(value), limits.limit);
    }
  }
}

TEST(ValidateProfile, SaysWhatTheNumberMustBe) {
  const absl::Status status = ValidateProfile(With([](Profile& p) { p.index_dim = 48; }));
  EXPECT_EQ(std::string(status.message()),
            "index_dim is 48; it must be a multiple of 32 in 32..256");
}

TEST(ValidateProfile, HoldsTheNameToItsLengthAndCharacters) {
  const std::string longest(64, 'x');
  const std::string all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
  for (const std::string& name : {std::string("a"), longest, all, std::string("_.-")}) {
    ExpectAccepted(With([&](Profile& p) { p.name = name; }));
  }
  std::vector<std::string> refused = {"", longest + "x", std::string(5000, 'x'), "\xc3\xa4",
                                      std::string("a\0b", 3)};
  for (const char c : std::string(" /:,@[`{~\n\x7f")) refused.push_back(std::string("a") + c);
  for (const std::string& name : refused) {
    const std::string shown = name.size() <= 64 ? name : longest + "...";
    ExpectRefused(With([&](Profile& p) { p.name = name; }), "name", "'" + shown + "'",
                  "1..64 characters of [A-Za-z0-9._-]");
  }
}

TEST(ValidateProfile, KnowsTheFormatsThereAre) {
  for (const int format : {1, 2, 3, 4}) {
    ExpectAccepted(With([&](Profile& p) { p.key_format = static_cast<KeyFormat>(format); }));
  }
  for (const int format : {0, 5, 255}) {
    ExpectRefused(With([&](Profile& p) { p.key_format = static_cast<KeyFormat>(format); }),
                  "index_key_format", std::to_string(format),
                  "FP8_E4M3 (1), MXFP4 (2), BF16 (3) or INT8 (4)");
  }
  for (const int format : {1, 2}) {
    ExpectAccepted(With([&](Profile& p) { p.row_format = static_cast<RowFormat>(format); }));
  }
  for (const int format : {0, 3, 255}) {
    ExpectRefused(With([&](Profile& p) { p.row_format = static_cast<RowFormat>(format); }),
                  "kv_row_format", std::to_string(format), "BF16 (1) or FP8_FLASHMLA (2)");
  }
}

TEST(ValidateProfile, WantsASoftmaxScaleAboveZero) {
  for (const float scale :
       {std::numeric_limits<float>::denorm_min(), 1.0f, 1e38f, std::numeric_limits<float>::max()}) {
    ExpectAccepted(With([&](Profile& p) { p.softmax_scale = scale; }));
  }
  const std::pair<float, const char*> refused[] = {{0.0f, "0"},   {-0.0f, "-0"},   {-1.0f, "-1"},
                                                   {kInf, "inf"}, {-kInf, "-inf"}, {NAN, "nan"}};
  for (const auto& [scale, text] : refused) {
    ExpectRefused(With([s = scale](Profile& p) { p.softmax_scale = s; }), "softmax_scale", text,
                  "finite and above zero");
  }
}

TEST(ValidateProfile, HoldsTheNumberOfLayersToItsLimits) {
  for (const size_t layers : {1, 255, 256}) {
    ExpectAccepted(With([&](Profile& p) { p.layers.assign(layers, LayerKind::kOwn); }));
  }
  for (const size_t layers : {0, 257}) {
    ExpectRefused(With([&](Profile& p) { p.layers.assign(layers, LayerKind::kOwn); }), "layers",
                  std::to_string(layers) + " layers", "1..256 layers");
  }
}

TEST(ValidateProfile, WantsAKnownKindOnEveryLayer) {
  for (const int kind : {0, 4, 255}) {
    ExpectRefused(With([&](Profile& p) { p.layers[2] = static_cast<LayerKind>(kind); }),
                  "layers[2]", std::to_string(kind), "NONE (1), OWN (2) or SHARED (3)");
  }
}

TEST(ValidateProfile, WantsASelectionBeforeItIsShared) {
  constexpr auto kNone = LayerKind::kNone, kOwn = LayerKind::kOwn, kShared = LayerKind::kShared;
  const std::vector<LayerKind> accepted[] = {{kOwn},
                                             {kNone, kOwn},
                                             {kOwn, kShared},
                                             {kOwn, kNone, kShared, kShared},
                                             {kNone, kNone, kOwn}};
  for (const auto& layers : accepted) ExpectAccepted(With([&](Profile& p) { p.layers = layers; }));
  const std::string limit = "preceded by an OWN layer whose selection it shares";
  ExpectRefused(With([&](Profile& p) {
                  p.layers = {kShared, kOwn};
                }),
                "layers[0]", "SHARED", limit);
  ExpectRefused(With([&](Profile& p) {
                  p.layers = {kNone, kShared, kOwn};
                }),
                "layers[1]", "SHARED", limit);
  ExpectRefused(With([&](Profile& p) {
                  p.layers = {kNone, kNone};
                }),
                "layers", "without an OWN layer", "with at least one");
}

TEST(Profile, KnowsItsSizesAndItsLayers) {
  const Profile profile = TestProfile();
  EXPECT_EQ(profile.key_bytes(), 64u + 4);
  EXPECT_EQ(profile.row_bytes(), 128u + 4 + 2 * 16);
  EXPECT_EQ(profile.attend_query_bytes(), 2u * (128 + 16));
  std::vector<bool> stores, has_index;
  for (int layer = 0; layer < 4; ++layer) {
    stores.push_back(profile.stores(layer));
    has_index.push_back(profile.has_index(layer));
  }
  EXPECT_THAT(stores, testing::ElementsAre(true, false, true, true));
  EXPECT_THAT(has_index, testing::ElementsAre(true, false, false, true));
}

TEST(Fingerprint, IsThatOfVersionOneOfTheEncoding) {
  EXPECT_EQ(Fingerprint(TestProfile()), "e86615a517d8222e953c5bbca59fd7a5");
}

TEST(Fingerprint, ChangesWithEveryField) {
  const Change changes[] = {
      [](Profile&) {},
      [](Profile& p) { p.name = "test-profilf"; },
      [](Profile& p) { p.name = "Test-profile"; },
      [](Profile& p) { p.key_format = KeyFormat::kInt8; },
      [](Profile& p) { p.row_format = RowFormat::kBf16; },
      [](Profile& p) { ++p.index_heads; },
      [](Profile& p) { p.index_dim += 32; },
      [](Profile& p) { p.latent_dim += 128; },
      [](Profile& p) { p.rope_dim += 16; },
      [](Profile& p) { ++p.query_heads; },
      [](Profile& p) { ++p.top_k; },
      [](Profile& p) { p.softmax_scale = std::nextafter(p.softmax_scale, 1.0f); },
      [](Profile& p) { p.layers.push_back(LayerKind::kNone); },
      [](Profile& p) { p.layers[3] = LayerKind::kShared; },
      [](Profile& p) { std::swap(p.layers[1], p.layers[2]); },
      [](Profile& p) { std::swap(p.index_heads, p.query_heads); },
  };
  std::set<std::string> seen;
  for (const Change& change : changes) {
    const Profile profile = With(change);
    ExpectAccepted(profile);
    EXPECT_THAT(Fingerprint(profile), testing::MatchesRegex("[0-9a-f]{32}"));
    EXPECT_EQ(Fingerprint(profile), Fingerprint(Profile(profile)));
    seen.insert(Fingerprint(profile));
  }
  EXPECT_EQ(seen.size(), std::size(changes));
}

}  // namespace
}  // namespace winnow
