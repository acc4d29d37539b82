#include "kernels/reference/formats.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace winnow::kernels {

float DecodeE4m3(uint8_t code) {
  const int exponent = (code >> 3) & 0xf;
  const int mantissa = code & 0x7;
  float magnitude;
  if (exponent == 0xf && mantissa == 0x7) {
    magnitude = std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), -9);
  } else {
    magnitude = std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  }
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

float DecodeE2m1(uint8_t nibble) {
  constexpr float kMagnitudes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  const float magnitude = kMagnitudes[nibble & 0x7];
  return (nibble & 0x8) != 0 ? -magnitude : magnitude;
}

float DecodeUe8m0(uint8_t code) {
  return code == 0xff ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, code - 127);
}

float DecodeBf16(const std::byte* value) {
  uint16_t bits;
  std::memcpy(&bits, value, sizeof bits);
  const uint32_t widened = static_cast<uint32_t>(bits) << 16;
  float result;
  std::memcpy(&result, &widened, sizeof result);
  return result;
}

void DecodeCodes(KeyFormat format, int dim, const std::byte* codes, double* values) {
  for (int d = 0; d < dim; ++d) {
    switch (format) {
      case KeyFormat::kFp8E4M3:
        values[d] = DecodeE4m3(static_cast<uint8_t>(codes[d]));
        break;
      case KeyFormat::kMxFp4: {
        const auto pair = static_cast<uint8_t>(codes[d / 2]);
        values[d] = double{DecodeE2m1(d % 2 == 0 ? pair & 0xf : pair >> 4)} *
                    DecodeUe8m0(static_cast<uint8_t>(codes[dim / 2 + d / 32]));
        break;
      }
      case KeyFormat::kBf16:
        values[d] = DecodeBf16(codes + 2 * d);
        break;
      case KeyFormat::kInt8:
        values[d] = static_cast<int8_t>(codes[d]);
        break;
    }
  }
}

float DecodeKeyScale(KeyFormat format, int dim, const std::byte* key) {
  if (format != KeyFormat::kFp8E4M3 && format != KeyFormat::kInt8) return 1;
  float scale;
  std::memcpy(&scale, key + dim, sizeof scale);
  return scale;
}

void DecodeRow(RowFormat format, int latent_dim, int rope_dim, const std::byte* row,
               float* values) {
  if (format == RowFormat::kBf16) {
    for (int d = 0; d < latent_dim + rope_dim; ++d) values[d] = DecodeBf16(row + 2 * d);
    return;
  }
  const int groups = latent_dim / kLatentScaleGroup;
  const std::byte* scales = row + latent_dim;
  const std::byte* rope = scales + groups * sizeof(float);
  for (int d = 0; d < latent_dim; ++d) {
    float scale;
    std::memcpy(&scale, scales + d / kLatentScaleGroup * sizeof scale, sizeof scale);
    values[d] = DecodeE4m3(static_cast<uint8_t>(row[d])) * scale;
  }
  for (int d = 0; d < rope_dim; ++d) values[latent_dim + d] = DecodeBf16(rope + 2 * d);
}

}  // namespace winnow::kernels
