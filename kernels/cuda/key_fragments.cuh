#ifndef WINNOW_KERNELS_CUDA_KEY_FRAGMENTS_CUH_
#define WINNOW_KERNELS_CUDA_KEY_FRAGMENTS_CUH_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/simt.h"
#include "kernels/layout.h"

// Stored index keys and queries to exact fragments, of bf16 or, e4m3 alone, of f16.
//
// A tile is the 16 entries of one block of a page (kernels/layout.cc). In bf16 row g of it is entry
// 2g and row g + 8 is entry 2g + 1, so that a lane finds its two rows side by side. The dims of a
// step of 16 are dealt to the lanes so that each finds its own side by side too; a sum over dims
// does not mind as long as queries are dealt alike, which QueryPairDim sees to.
namespace winnow::kernels::cuda {

// Codes of 16 keys at any format: bytes of a tile.
WINNOW_DEVICE int TileBytes(KeyFormat format, int dim) {
  switch (format) {
    case KeyFormat::kFp8E4M3:
    case KeyFormat::kInt8:
      return 16 * dim;
    case KeyFormat::kMxFp4:
      return 8 * dim;
    case KeyFormat::kBf16:
      return 32 * dim;
  }
  return 0;
}

// The first of the two dims that column c holds of step `step`, in the lower or upper half of k.
WINNOW_DEVICE int QueryPairDim(KeyFormat format, int step, int c, int half) {
  return format == KeyFormat::kInt8 ? 16 * step + 4 * c + 2 * half : 16 * step + 2 * c + 8 * half;
}

// Two e4m3 codes, in the upper byte of each half, to bf16. Exponent and mantissa move to the low
// end of bf16's exponent field, where the value reads 2^-120 times as large, subnormals included.
WINNOW_DEVICE uint32_t E4m3PairToBf16(uint32_t codes) {
  const uint32_t moved = (codes & 0x80008000u) | ((codes & 0x7f007f00u) >> 4);
  constexpr uint32_t kTwoTo120 = 0x7b807b80u;
  return simt::MultiplyBf16x2(moved, kTwoTo120);
}

// Two int8, the bytes `first` and `first + 1` of `codes` ^ 0x80808080, to bf16: as the low mantissa
// bits of 2^23, less 2^23 + 128. The result has eight significant bits, so its upper half is all.
WINNOW_DEVICE uint32_t Int8PairToBf16(uint32_t biased_codes, int first) {
  constexpr uint32_t kTwoTo23 = 0x4b000000u;
  constexpr float kBias = 8388736.0f;
  const uint32_t low = simt::Permute(biased_codes, kTwoTo23, 0x7440u + first);
  const uint32_t high = simt::Permute(biased_codes, kTwoTo23, 0x7441u + first);
  return simt::Permute(simt::AsBits(simt::Add(simt::AsFloat(low), -kBias)),
                       simt::AsBits(simt::Add(simt::AsFloat(high), -kBias)), 0x7632u);
}

// 2^(code - 127) as bf16, in both halves; 2^-127 is a subnormal.
WINNOW_DEVICE uint32_t Ue8m0ToBf16x2(uint32_t code) {
  const uint32_t bits = code == 0 ? 0x0040u : code << 7;
  return bits | bits << 16;
}

// Four E2M1 nibbles to the bf16 pairs (nibbles 0 and 1) and (2 and 3), unscaled.
WINNOW_DEVICE void E2m1ToBf16(uint32_t nibbles, uint32_t* first, uint32_t* second) {
  // Bytes of bf16 0, 0.5, 1, 1.5 and 2, 3, 4, 6.
  const uint32_t magnitudes = nibbles & 0x7777u;
  const uint32_t upper = simt::Permute(0x3f3f3f00u, 0x40404040u, magnitudes);
  const uint32_t lower = simt::Permute(0xc0800000u, 0xc0804000u, magnitudes);
  *first = simt::Permute(lower, upper, 0x5140u) | (nibbles & 0x8u) << 12 | (nibbles & 0x80u) << 24;
  *second =
      simt::Permute(lower, upper, 0x7362u) | (nibbles & 0x800u) << 4 | (nibbles & 0x8000u) << 16;
}

// Step `step` of a tile.
//   tile    TileBytes, in shared memory
//   scales  [dim / 32][scale_stride] UE8M0 codes, the tile's 16 first; unused in other formats
WINNOW_DEVICE void DecodeKeys(KeyFormat format, const std::byte* tile, const std::byte* scales,
                              int scale_stride, int step, uint32_t (&a)[4]) {
  const int g = simt::Lane() / 4;
  const int c = simt::Lane() % 4;
  const auto* words = reinterpret_cast<const uint32_t*>(tile);
  switch (format) {
    case KeyFormat::kFp8E4M3:
      WINNOW_UNROLL
      for (int half = 0; half < 2; ++half) {
        const uint32_t codes = words[(8 * step + 4 * half + c) * 8 + g];
        a[2 * half] = E4m3PairToBf16(simt::Permute(codes, 0, 0x1404u));
        a[2 * half + 1] = E4m3PairToBf16(simt::Permute(codes, 0, 0x3424u));
      }
      return;
    case KeyFormat::kBf16:
      WINNOW_UNROLL
      for (int half = 0; half < 2; ++half) {
        const uint32_t* pair = words + (8 * step + 4 * half + c) * 16 + 2 * g;
        a[2 * half] = pair[0];
        a[2 * half + 1] = pair[1];
      }
      return;
    case KeyFormat::kInt8:
      WINNOW_UNROLL
      for (int row = 0; row < 2; ++row) {
        const uint32_t codes = words[(4 * step + c) * 16 + 2 * g + row] ^ 0x80808080u;
        a[row] = Int8PairToBf16(codes, 0);
        a[row + 2] = Int8PairToBf16(codes, 2);
      }
      return;
    case KeyFormat::kMxFp4: {
      const std::byte* scale = scales + (step / 2) * scale_stride + 2 * g;
      const uint32_t first = Ue8m0ToBf16x2(static_cast<uint32_t>(scale[0]));
      const uint32_t second = Ue8m0ToBf16x2(static_cast<uint32_t>(scale[1]));
      WINNOW_UNROLL
      for (int half = 0; half < 2; ++half) {
        const auto* pairs = reinterpret_cast<const uint16_t*>(tile);
        E2m1ToBf16(pairs[(8 * step + 4 * half + c) * 8 + g], &a[2 * half], &a[2 * half + 1]);
        a[2 * half] = simt::MultiplyBf16x2(a[2 * half], first);
        a[2 * half + 1] = simt::MultiplyBf16x2(a[2 * half + 1], second);
      }
      return;
    }
  }
}

// A tile of e4m3 to f16, all steps; row g is entry g. A word of a tile holds two dims of two
// neighbouring entries; loading 8 x 8 matrices of such pairs, transposed, gives each lane two dims
// of entries g and g + 8, with a quarter of the instructions.
template <int kSteps>
WINNOW_DEVICE void DecodeE4m3Tile(const std::byte* tile, uint32_t (&a)[kSteps][4]) {
  WINNOW_UNROLL
  for (int two = 0; two < kSteps / 2; ++two) {
    uint32_t codes[4];
    simt::LoadMatrix4Transposed(codes, tile + 512 * two + 16 * simt::Lane());
    WINNOW_UNROLL
    for (int i = 0; i < 4; ++i) {
      uint32_t* pair = &a[2 * two + i / 2][i % 2 * 2];
      simt::E4m3QuadToF16x2(codes[i], &pair[0], &pair[1]);
    }
  }
}

// Dims d and d + 1, d even, of one head of a query as it travels, to bf16.
WINNOW_DEVICE uint32_t DecodeQueryPair(KeyFormat format, int dim, const std::byte* head, int d) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(head);
  switch (format) {
    case KeyFormat::kFp8E4M3:
      return E4m3PairToBf16(static_cast<uint32_t>(bytes[d]) << 8 |
                            static_cast<uint32_t>(bytes[d + 1]) << 24);
    case KeyFormat::kBf16:
      return reinterpret_cast<const uint32_t*>(head)[d / 2];
    case KeyFormat::kInt8:
      return Int8PairToBf16((bytes[d] | static_cast<uint32_t>(bytes[d + 1]) << 8) ^ 0x8080u, 0);
    case KeyFormat::kMxFp4: {
      uint32_t pair, unused;
      E2m1ToBf16(bytes[d / 2], &pair, &unused);
      return simt::MultiplyBf16x2(pair, Ue8m0ToBf16x2(bytes[dim / 2 + d / 32]));
    }
  }
  return 0;
}

}  // namespace winnow::kernels::cuda

#endif  // WINNOW_KERNELS_CUDA_KEY_FRAGMENTS_CUH_
