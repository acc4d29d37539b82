#ifndef WINNOW_TESTS_STORAGE_TEST_PROFILE_H_
#define WINNOW_TESTS_STORAGE_TEST_PROFILE_H_

#include "storage/profile.h"

namespace winnow {

// A small valid profile with every kind of layer. The golden fingerprint is of this one.
inline Profile TestProfile() {
  Profile profile;
  profile.name = "test-profile";
  profile.key_format = kernels::KeyFormat::kFp8E4M3;
  profile.row_format = kernels::RowFormat::kFp8FlashMla;
  profile.index_heads = 4;
  profile.index_dim = 64;
  profile.latent_dim = 128;
  profile.rope_dim = 16;
  profile.query_heads = 8;
  profile.top_k = 100;
  profile.softmax_scale = 0.125f;
  profile.layers = {LayerKind::kOwn, LayerKind::kNone, LayerKind::kShared, LayerKind::kOwn};
  return profile;
}

}  // namespace winnow

#endif  // WINNOW_TESTS_STORAGE_TEST_PROFILE_H_
