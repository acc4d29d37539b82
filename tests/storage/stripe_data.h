#ifndef WINNOW_TESTS_STORAGE_STRIPE_DATA_H_
#define WINNOW_TESTS_STORAGE_STRIPE_DATA_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "storage/stripe.h"

namespace winnow {

// TestProfile() in other formats.
std::shared_ptr<const Profile> StripeProfile(
    kernels::KeyFormat key_format = kernels::KeyFormat::kFp8E4M3,
    kernels::RowFormat row_format = kernels::RowFormat::kFp8FlashMla);

// Arena bytes of one page of every plane of every layer.
size_t PageSetBytes(const Profile& profile);

// A context in memory alone.
std::shared_ptr<const ContextStorage> MemoryStorage(std::shared_ptr<const Profile> profile,
                                                    PageArena* arena, PageMirror* mirror = nullptr);

// Where a page or a row lies that is in memory; nowhere in a layer without an index.
Place KeyPage(const Stripe& stripe, int layer, uint32_t page);
Place KvRow(const Stripe& stripe, int layer, uint32_t entry);

// Random entries of every layer, to append and to compare with.
class StripeData {
 public:
  StripeData(const Profile& profile, uint32_t entries, uint64_t seed);

  // Entries [offset, offset + count) of the layers, as Append takes them.
  std::vector<LayerBytes> Slice(uint32_t offset, uint32_t count,
                                std::initializer_list<int> layers = {0, 2, 3}) const;

  // Changes the last byte of an entry.
  void SpoilKey(int layer, uint32_t entry);
  void SpoilRow(int layer, uint32_t entry);

  // That the stripe has exactly `entries` entries of the layer, with these bytes.
  testing::AssertionResult IsHeldBy(const Stripe& stripe, int layer, uint32_t entries) const;
  // That all stored layers have exactly `entries` entries.
  testing::AssertionResult IsHeldBy(const Stripe& stripe, uint32_t entries) const;
  // That entries [first, first + count) of the layer have these bytes.
  testing::AssertionResult Matches(const Stripe& stripe, int layer, uint32_t first,
                                   uint32_t count) const;

 private:
  struct Layer {
    std::vector<std::byte> keys;
    std::vector<std::byte> rows;
  };

  Profile profile_;
  std::vector<Layer> layers_;
};

}  // namespace winnow

#endif  // WINNOW_TESTS_STORAGE_STRIPE_DATA_H_
