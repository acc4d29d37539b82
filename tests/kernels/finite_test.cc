#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/layout.h"
#include "kernels/reference/formats.h"
#include "tests/kernels/random_data.h"

namespace winnow::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(NonFinite, RandomDataHasNone) {
  RandomData random(TestSeed());
  for (const KeyFormat format :
       {KeyFormat::kFp8E4M3, KeyFormat::kMxFp4, KeyFormat::kBf16, KeyFormat::kInt8}) {
    EXPECT_EQ(FirstNonFiniteKey(format, 96, random.Keys(format, 96, 50)), -1);
    EXPECT_EQ(FirstNonFiniteQuery(format, 96, random.Queries(format, 96, 50)), -1);
  }
  for (const RowFormat format : {RowFormat::kBf16, RowFormat::kFp8FlashMla}) {
    EXPECT_EQ(FirstNonFiniteRow(format, 256, 32, random.Rows(format, 256, 32, 20)), -1);
  }
  EXPECT_EQ(FirstNonFiniteBf16(random.Bf16(1000)), -1);
  EXPECT_EQ(FirstNonFiniteFp32({}), -1);
}

TEST(NonFinite, IsFoundInEveryPartOfAKey) {
  RandomData random(TestSeed());
  std::vector<std::byte> fp8 = random.Keys(KeyFormat::kFp8E4M3, 128, 9);
  fp8[5 * 132 + 77] = std::byte{0xff};
  EXPECT_EQ(FirstNonFiniteKey(KeyFormat::kFp8E4M3, 128, fp8), 5);
  fp8[5 * 132 + 77] = std::byte{0};
  PutFloat(kNan, &fp8[3 * 132 + 128]);
  EXPECT_EQ(FirstNonFiniteKey(KeyFormat::kFp8E4M3, 128, fp8), 3);
  std::vector<std::byte> int8 = random.Keys(KeyFormat::kInt8, 32, 4);
  PutFloat(kInf, &int8[3 * 36 + 32]);
  EXPECT_EQ(FirstNonFiniteKey(KeyFormat::kInt8, 32, int8), 3);
  std::vector<std::byte> mxfp4 = random.Keys(KeyFormat::kMxFp4, 64, 4);
  mxfp4[2 * 34 + 33] = std::byte{255};
  EXPECT_EQ(FirstNonFiniteKey(KeyFormat::kMxFp4, 64, mxfp4), 2);
  std::vector<std::byte> bf16 = random.Keys(KeyFormat::kBf16, 64, 4);
  PutBf16(-kInf, &bf16[1 * 128 + 126]);
  EXPECT_EQ(FirstNonFiniteKey(KeyFormat::kBf16, 64, bf16), 1);
}

// Whether a value is held depends on its block's scale.
TEST(NonFinite, IsWhatFp32DoesNotHoldOfMxFp4) {
  for (int scale = 0; scale < 256; ++scale) {
    for (int code = 0; code < 16; ++code) {
      std::vector<std::byte> keys(2 * 34);
      keys[34 + 20] = static_cast<std::byte>(code << 4);
      keys[34 + 33] = static_cast<std::byte>(scale);
      const float value =
          DecodeE2m1(static_cast<uint8_t>(code)) * DecodeUe8m0(static_cast<uint8_t>(scale));
      const int64_t expected = std::isfinite(value) ? -1 : 1;
      EXPECT_EQ(FirstNonFiniteKey(KeyFormat::kMxFp4, 64, keys), expected) << scale << " " << code;
      EXPECT_EQ(FirstNonFiniteQuery(KeyFormat::kMxFp4, 64, keys), expected) << scale << " " << code;
      keys[34 + 20] = static_cast<std::byte>(code);
      EXPECT_EQ(FirstNonFiniteKey(KeyFormat::kMxFp4, 64, keys), expected) << scale << " " << code;
    }
  }
}

TEST(NonFinite, IsFoundInEveryPartOfARow) {
  RandomData random(TestSeed());
  const std::vector<std::byte> good = random.Rows(RowFormat::kFp8FlashMla, 512, 64, 5);
  std::vector<std::byte> rows = good;
  rows[4 * 656 + 511] = std::byte{0x7f};
  EXPECT_EQ(FirstNonFiniteRow(RowFormat::kFp8FlashMla, 512, 64, rows), 4);
  rows = good;
  PutFloat(-kInf, &rows[2 * 656 + 512 + 12]);
  EXPECT_EQ(FirstNonFiniteRow(RowFormat::kFp8FlashMla, 512, 64, rows), 2);
  rows = good;
  PutBf16(kInf, &rows[1 * 656 + 654]);
  EXPECT_EQ(FirstNonFiniteRow(RowFormat::kFp8FlashMla, 512, 64, rows), 1);
}

TEST(NonFinite, NamesTheFirstValue) {
  std::vector<std::byte> floats(40);
  PutFloat(kNan, &floats[8 * 4]);
  PutFloat(kInf, &floats[6 * 4]);
  EXPECT_EQ(FirstNonFiniteFp32(floats), 6);
  std::vector<std::byte> halves(40);
  PutBf16(kInf, &halves[19 * 2]);
  EXPECT_EQ(FirstNonFiniteBf16(halves), 19);
}

}  // namespace
}  // namespace winnow::kernels
