#include "tests/storage/stripe_data.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/kernels/random_data.h"
#include "tests/storage/test_profile.h"

namespace winnow {

using kernels::kPageEntries;

std::shared_ptr<const Profile> StripeProfile(kernels::KeyFormat key_format,
                                             kernels::RowFormat row_format) {
  Profile profile = TestProfile();
  profile.key_format = key_format;
  profile.row_format = row_format;
  return std::make_shared<const Profile>(std::move(profile));
}

size_t PageSetBytes(const Profile& profile) {
  size_t bytes = 0;
  for (size_t i = 0; i < profile.layers.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (profile.has_index(layer)) bytes += kPageEntries * profile.key_bytes();
    if (profile.stores(layer)) bytes += kPageEntries * profile.row_bytes();
  }
  return bytes;
}

std::shared_ptr<const ContextStorage> MemoryStorage(std::shared_ptr<const Profile> profile,
                                                    PageArena* arena, PageMirror* mirror) {
  return std::make_shared<const ContextStorage>(
      ContextStorage{.profile = std::move(profile), .arena = arena, .mirror = mirror});
}

Place KeyPage(const Stripe& stripe, int layer, uint32_t page) {
  const std::shared_ptr<const PageSet> pages = stripe.Pages(layer, Plane::kIndex).value();
  return pages == nullptr ? Place{} : pages->page(page);
}

Place KvRow(const Stripe& stripe, int layer, uint32_t entry) {
  return stripe.Pages(layer, Plane::kKv).value()->row(entry);
}

StripeData::StripeData(const Profile& profile, uint32_t entries, uint64_t seed)
    : profile_(profile), layers_(profile.layers.size()) {
  kernels::RandomData random(seed);
  const auto count = static_cast<int>(entries);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<int>(i);
    if (profile.has_index(layer)) {
      layers_[i].keys = random.Keys(profile.key_format, profile.index_dim, count);
    }
    if (profile.stores(layer)) {
      layers_[i].rows =
          random.Rows(profile.row_format, profile.latent_dim, profile.rope_dim, count);
    }
  }
}

std::vector<LayerBytes> StripeData::Slice(uint32_t offset, uint32_t count,
                                          std::initializer_list<int> layers) const {
  std::vector<LayerBytes> slice;
  for (const int layer : layers) {
    LayerBytes bytes = {.layer = layer};
    if (profile_.has_index(layer)) {
      bytes.index_keys = std::span(layers_[layer].keys)
                             .subspan(offset * profile_.key_bytes(), count * profile_.key_bytes());
    }
    bytes.kv_rows = std::span(layers_[layer].rows)
                        .subspan(offset * profile_.row_bytes(), count * profile_.row_bytes());
    slice.push_back(bytes);
  }
  return slice;
}

void StripeData::SpoilKey(int layer, uint32_t entry) {
  layers_[layer].keys[(entry + 1) * profile_.key_bytes() - 1] ^= std::byte{1};
}

void StripeData::SpoilRow(int layer, uint32_t entry) {
  layers_[layer].rows[(entry + 1) * profile_.row_bytes() - 1] ^= std::byte{1};
}

testing::AssertionResult StripeData::Matches(const Stripe& stripe, int layer, uint32_t first,
                                             uint32_t count) const {
  const size_t key_bytes = profile_.key_bytes();
  const size_t row_bytes = profile_.row_bytes();
  std::vector<std::byte> key(key_bytes);
  for (uint32_t entry = first; entry < first + count; ++entry) {
    if (std::memcmp(KvRow(stripe, layer, entry).host, &layers_[layer].rows[entry * row_bytes],
                    row_bytes) != 0) {
      return testing::AssertionFailure() << "row " << entry << " of layer " << layer << " differs";
    }
    if (!profile_.has_index(layer)) continue;
    kernels::ExtractKeys(profile_.key_format, profile_.index_dim,
                         KeyPage(stripe, layer, entry / kPageEntries).host,
                         static_cast<int>(entry % kPageEntries), 1, key.data());
    if (std::memcmp(key.data(), &layers_[layer].keys[entry * key_bytes], key_bytes) != 0) {
      return testing::AssertionFailure() << "key " << entry << " of layer " << layer << " differs";
    }
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult StripeData::IsHeldBy(const Stripe& stripe, int layer,
                                              uint32_t entries) const {
  if (stripe.entries(layer) != entries) {
    return testing::AssertionFailure()
           << "layer " << layer << " has " << stripe.entries(layer) << " entries, not " << entries;
  }
  return Matches(stripe, layer, 0, entries);
}

testing::AssertionResult StripeData::IsHeldBy(const Stripe& stripe, uint32_t entries) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<int>(i);
    const uint32_t expected = profile_.stores(layer) ? entries : 0;
    if (auto held = IsHeldBy(stripe, layer, expected); !held) return held;
  }
  return testing::AssertionSuccess();
}

}  // namespace winnow
