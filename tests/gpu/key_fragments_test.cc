#include "kernels/cuda/key_fragments.cuh"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/reference/formats.h"

// Every code of every format, against the definitions in kernels/reference/formats.h.
namespace winnow::kernels::cuda {
namespace {

float Low(uint32_t pair) { return simt::AsFloat(pair << 16); }
float High(uint32_t pair) { return simt::AsFloat(pair & 0xffff0000u); }

void ExpectSame(float got, float expected) {
  if (std::isnan(expected)) return;  // refused at the door
  EXPECT_EQ(simt::AsBits(got), simt::AsBits(expected));
}

TEST(KeyFragments, EveryE4m3CodeIsExact) {
  for (uint32_t code = 0; code < 256; ++code) {
    const uint32_t other = code * 77 % 256;
    const uint32_t pair = E4m3PairToBf16(code << 8 | other << 24);
    ExpectSame(Low(pair), DecodeE4m3(static_cast<uint8_t>(code)));
    ExpectSame(High(pair), DecodeE4m3(static_cast<uint8_t>(other)));
  }
}

TEST(KeyFragments, EveryE4m3CodeIsExactInF16) {
  for (uint32_t code = 0; code < 256; ++code) {
    const uint32_t other = code * 77 % 256;
    uint32_t low, high;
    simt::E4m3QuadToF16x2(code | other << 8 | other << 16 | code << 24, &low, &high);
    EXPECT_EQ(low, simt::E4m3PairToF16x2(code | other << 8));
    ExpectSame(simt::HalfF16(low, 0), DecodeE4m3(static_cast<uint8_t>(code)));
    ExpectSame(simt::HalfF16(low, 1), DecodeE4m3(static_cast<uint8_t>(other)));
    ExpectSame(simt::HalfF16(high, 0), DecodeE4m3(static_cast<uint8_t>(other)));
    ExpectSame(simt::HalfF16(high, 1), DecodeE4m3(static_cast<uint8_t>(code)));
  }
}

TEST(KeyFragments, EveryInt8IsExact) {
  for (uint32_t code = 0; code < 256; ++code) {
    const uint32_t other = code * 77 % 256;
    const uint32_t words = (code | other << 8 | other << 16 | code << 24) ^ 0x80808080u;
    const auto value = static_cast<float>(static_cast<int8_t>(code));
    const auto other_value = static_cast<float>(static_cast<int8_t>(other));
    ExpectSame(Low(Int8PairToBf16(words, 0)), value);
    ExpectSame(High(Int8PairToBf16(words, 0)), other_value);
    ExpectSame(Low(Int8PairToBf16(words, 2)), other_value);
    ExpectSame(High(Int8PairToBf16(words, 2)), value);
  }
}

TEST(KeyFragments, EveryE2m1NibbleIsExactAtEveryScale) {
  for (uint32_t scale = 0; scale < 255; ++scale) {
    const float factor = DecodeUe8m0(static_cast<uint8_t>(scale));
    for (uint32_t nibble = 0; nibble < 16; ++nibble) {
      const uint32_t other = (nibble * 5 + 3) % 16;
      uint32_t first, second;
      E2m1ToBf16(nibble | other << 4 | other << 8 | nibble << 12, &first, &second);
      first = simt::MultiplyBf16x2(first, Ue8m0ToBf16x2(scale));
      second = simt::MultiplyBf16x2(second, Ue8m0ToBf16x2(scale));
      const float value = DecodeE2m1(static_cast<uint8_t>(nibble)) * factor;
      const float other_value = DecodeE2m1(static_cast<uint8_t>(other)) * factor;
      ExpectSame(Low(first), value);
      ExpectSame(High(first), other_value);
      ExpectSame(Low(second), other_value);
      ExpectSame(High(second), value);
    }
  }
}

}  // namespace
}  // namespace winnow::kernels::cuda
