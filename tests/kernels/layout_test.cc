#include "kernels/layout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/reference/formats.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels {
namespace {

constexpr KeyFormat kFormats[] = {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16,
                                  KeyFormat::kInt8};

TEST(Layout, HasThePublishedSizes) {
  EXPECT_EQ(KeyBytes(KeyFormat::kFp8E4M3, 128), 132u);
  EXPECT_EQ(KeyBytes(KeyFormat::kMxFp4, 128), 68u);
  EXPECT_EQ(KeyBytes(KeyFormat::kBf16, 128), 256u);
  EXPECT_EQ(KeyBytes(KeyFormat::kInt8, 128), 132u);
  EXPECT_EQ(QueryBytes(KeyFormat::kFp8E4M3, 128), 128u);
  EXPECT_EQ(RowBytes(RowFormat::kBf16, 512, 64), 1152u);
  EXPECT_EQ(RowBytes(RowFormat::kFp8FlashMla, 512, 64), 656u);
  for (const KeyFormat format : kFormats) {
    for (int dim = kMinIndexDim; dim <= kMaxIndexDim; dim += 32) {
      EXPECT_EQ(KeyPageBytes(format, dim), 64 * KeyBytes(format, dim));
    }
  }
}

TEST(Layout, ExtractReturnsWhatArrangeWrote) {
  RandomData random(TestSeed());
  for (const KeyFormat format : kFormats) {
    for (int dim = kMinIndexDim; dim <= kMaxIndexDim; dim += 32) {
      const std::vector<std::byte> keys = random.Keys(format, dim, kPageEntries);
      std::vector<std::byte> page(KeyPageBytes(format, dim));
      for (int first = 0; first < kPageEntries;) {
        const int count = std::min(random.Int(1, 20), kPageEntries - first);
        ArrangeKeys(format, dim, &keys[first * KeyBytes(format, dim)], first, count, page.data());
        first += count;
      }
      std::vector<std::byte> back(keys.size());
      ExtractKeys(format, dim, page.data(), 0, kPageEntries, back.data());
      EXPECT_EQ(back, keys);
    }
  }
}

TEST(Layout, ManyKeysAreArrangedAndExtractedAsEachByItself) {
  RandomData random(TestSeed());
  for (const KeyFormat format : kFormats) {
    for (int dim = kMinIndexDim; dim <= kMaxIndexDim; dim += 32) {
      const size_t key_bytes = KeyBytes(format, dim);
      const int first = random.Int(0, 40), count = random.Int(16, kPageEntries - first);
      const std::vector<std::byte> keys = random.Keys(format, dim, count);
      std::vector<std::byte> together(KeyPageBytes(format, dim), std::byte{0x5a});
      std::vector<std::byte> one_by_one = together;
      ArrangeKeys(format, dim, keys.data(), first, count, together.data());
      for (int i = 0; i < count; ++i) {
        ArrangeKeys(format, dim, &keys[i * key_bytes], first + i, 1, one_by_one.data());
      }
      EXPECT_EQ(together, one_by_one) << "dim " << dim << ", first " << first;
      std::vector<std::byte> back(keys.size());
      for (int i = 0; i < count; ++i) {
        ExtractKeys(format, dim, together.data(), first + i, 1, &back[i * key_bytes]);
      }
      EXPECT_EQ(back, keys) << "dim " << dim << ", first " << first;
      std::ranges::fill(back, std::byte{});
      ExtractKeys(format, dim, together.data(), first, count, back.data());
      EXPECT_EQ(back, keys) << "dim " << dim << ", first " << first;
    }
  }
}

TEST(Layout, ArrangeTouchesOnlyItsEntries) {
  RandomData random(TestSeed());
  for (const KeyFormat format : kFormats) {
    const std::vector<std::byte> keys = random.Keys(format, 64, kPageEntries);
    std::vector<std::byte> page(KeyPageBytes(format, 64));
    ArrangeKeys(format, 64, keys.data(), 0, kPageEntries, page.data());
    const std::vector<std::byte> other = random.Keys(format, 64, 1);
    ArrangeKeys(format, 64, other.data(), 17, 1, page.data());
    std::vector<std::byte> back(keys.size());
    ExtractKeys(format, 64, page.data(), 0, kPageEntries, back.data());
    std::vector<std::byte> expected = keys;
    std::copy(other.begin(), other.end(), expected.begin() + 17 * KeyBytes(format, 64));
    EXPECT_EQ(back, expected);
  }
}

TEST(Layout, PlacesBytesAsVersionOneSays) {
  // Entry 17 is lane 1 of block 1.
  std::vector<std::byte> fp8(36), int8(36), bf16(64), mxfp4(17);
  for (auto* key : {&fp8, &int8, &bf16, &mxfp4}) {
    for (size_t i = 0; i < key->size(); ++i) (*key)[i] = static_cast<std::byte>(i + 1);
  }
  std::vector<std::byte> page(KeyPageBytes(KeyFormat::kBf16, 32));
  ArrangeKeys(KeyFormat::kFp8E4M3, 32, fp8.data(), 17, 1, page.data());
  EXPECT_EQ(page[512 + 0 * 32 + 2], std::byte{1});    // dim 0
  EXPECT_EQ(page[512 + 0 * 32 + 3], std::byte{2});    // dim 1
  EXPECT_EQ(page[512 + 15 * 32 + 3], std::byte{32});  // dim 31
  EXPECT_EQ(page[64 * 32 + 17 * 4], std::byte{33});   // scale
  ArrangeKeys(KeyFormat::kInt8, 32, int8.data(), 17, 1, page.data());
  EXPECT_EQ(page[512 + 0 * 64 + 4 + 3], std::byte{4});   // dim 3
  EXPECT_EQ(page[512 + 7 * 64 + 4 + 3], std::byte{32});  // dim 31
  ArrangeKeys(KeyFormat::kBf16, 32, bf16.data(), 17, 1, page.data());
  EXPECT_EQ(page[1024 + 0 * 64 + 4], std::byte{1});        // dim 0, low byte
  EXPECT_EQ(page[1024 + 15 * 64 + 4 + 3], std::byte{64});  // dim 31, high byte
  ArrangeKeys(KeyFormat::kMxFp4, 32, mxfp4.data(), 17, 1, page.data());
  EXPECT_EQ(page[256 + 15 * 16 + 1], std::byte{16});  // dims 30 and 31
  EXPECT_EQ(page[64 * 16 + 17], std::byte{17});       // scale
}

TEST(Formats, DecodeTheirExtremes) {
  EXPECT_EQ(DecodeE4m3(0x38), 1.0f);
  EXPECT_EQ(DecodeE4m3(0xb8), -1.0f);
  EXPECT_EQ(DecodeE4m3(0x7e), 448.0f);
  EXPECT_EQ(DecodeE4m3(0x01), 0.001953125f);
  EXPECT_EQ(DecodeE4m3(0x08), 0.015625f);
  EXPECT_TRUE(std::isnan(DecodeE4m3(0x7f)));
  EXPECT_EQ(DecodeE2m1(0x7), 6.0f);
  EXPECT_EQ(DecodeE2m1(0x9), -0.5f);
  EXPECT_EQ(DecodeUe8m0(127), 1.0f);
  EXPECT_EQ(DecodeUe8m0(0), 0x1p-127f);
  std::vector<std::byte> mxfp4(17);
  mxfp4[0] = std::byte{0x7f};
  mxfp4[16] = std::byte{254};
  double values[32];
  DecodeCodes(KeyFormat::kMxFp4, 32, mxfp4.data(), values);
  EXPECT_EQ(values[0], -6 * 0x1p127);
  EXPECT_EQ(values[1], 6 * 0x1p127);
  EXPECT_EQ(values[2], 0);
}

}  // namespace
}  // namespace winnow::kernels
